//! Scrubbers, compiled once for each secret.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use outwall_broker::Secret;
use outwall_broker::aws::Keys;
use outwall_broker::scrub::{Scrubber, Unscrubbable};
use outwall_policy::brokered::{CredentialName, Injection};

/// The scrubbers of one sandbox, by credential: of the newest secret of each that was used.
#[derive(Default)]
pub(crate) struct Scrubbers(Mutex<HashMap<CredentialName, (u64, Compiled)>>);

/// None where nothing of a secret is sent.
type Compiled = Option<Arc<Scrubber>>;

impl Scrubbers {
    /// That of a secret which is about to be used; none where nothing of it is sent.
    pub(crate) fn of(
        &self,
        credential: &CredentialName,
        way: &Injection,
        secret: &Secret,
    ) -> Result<Compiled, Unscrubbable> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((generation, scrubber)) = known.get(credential)
            && *generation == secret.generation()
        {
            return Ok(scrubber.clone());
        }
        let compiled = compile(credential, way, secret.expose())?.map(Arc::new);
        known.insert(credential.clone(), (secret.generation(), compiled.clone()));
        Ok(compiled)
    }
}

/// Of the keys of AWS only a session token is sent; with the others is signed.
fn compile(
    credential: &CredentialName,
    way: &Injection,
    secret: &[u8],
) -> Result<Option<Scrubber>, Unscrubbable> {
    let keys = match way {
        Injection::Aws4 => Keys::parse(secret).ok(),
        _ => None,
    };
    let named = |secret| (credential.clone(), secret);
    match &keys {
        Some(keys) if keys.secrets().count() < 2 => Ok(None),
        Some(keys) => Scrubber::new(keys.secrets().map(|secret| named(secret.as_bytes()))).map(Some),
        None => Scrubber::new([named(secret)]).map(Some),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use super::*;

    #[test]
    fn a_secret_is_compiled_once_and_another_anew() {
        let (scrubbers, name) = (Scrubbers::default(), "model".parse().unwrap());
        let way = Injection::Query("key".to_owned());
        let of = |secret: &Secret| scrubbers.of(&name, &way, secret).map(Option::unwrap);
        let first = Secret::from_text(b"Zq8Lx2Vn7Rt4Yw9Kd3Mf").unwrap();
        let (one, again) = (of(&first).unwrap(), of(&first).unwrap());
        assert!(Arc::ptr_eq(&one, &again));
        let other = of(&Secret::from_text(b"6Hb1Js5Gp0TcZq8Lx2Vn").unwrap()).unwrap();
        assert!(!Arc::ptr_eq(&one, &other));
        assert!(
            other.masked(b"Zq8Lx2Vn7Rt4Yw9Kd3Mf").is_some(),
            "of what both have"
        );
        assert!(other.masked(b"7Rt4Yw9Kd3Mf").is_none());
        assert!(of(&Secret::from_text(b"short").unwrap()).is_err());
    }

    #[test]
    fn of_the_keys_of_aws_only_what_is_secret_is_masked() {
        let name = "aws".parse().unwrap();
        let keys = b"AKIAIOSFODNN7EXAMPLE:wJalrXUtnFEMI/K7MDENG/bPxRfiCYzEXAMPLEKEY:IQoJb3JpZ2luX2VjEJr";
        let scrubber = compile(&name, &Injection::Aws4, keys).unwrap().unwrap();
        let signs_only = &keys[..keys.len() - 20];
        assert!(compile(&name, &Injection::Aws4, signs_only).unwrap().is_none());
        assert!(scrubber.masked(b"AKIAIOSFODNN7EXAMPLE").is_none());
        assert!(
            scrubber
                .masked(b"wJalrXUtnFEMI/K7MDENG/bPxRfiCYzEXAMPLEKEY")
                .is_some()
        );
        assert!(scrubber.masked(b"IQoJb3JpZ2luX2VjEJr").is_some());
    }
}
