//! Scrubbers, compiled once for each secret.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use outwall_broker::Secret;
use outwall_broker::aws::Keys;
use outwall_broker::scrub::{Scrubber, Unscrubbable};
use outwall_policy::brokered::{CredentialName, Injection};
use zeroize::Zeroizing;

/// The scrubbers of a gate, by credential and by whether it signs: of the newest secret of each that was used, and of those that it
/// replaced lately, for an origin may tell what an earlier request brought.
#[derive(Default)]
pub(crate) struct Scrubbers(Mutex<HashMap<Signing, (Generations, Compiled)>>);

/// Whose, and whether it signs.
type Signing = (CredentialName, bool);
type Generations = Vec<u64>;
/// None where nothing of a secret is sent.
type Compiled = Option<Arc<Scrubber>>;

impl Scrubbers {
    /// That of a credential which is about to be used, for all of its `secrets`; none where nothing of them is sent.
    pub(crate) fn of(
        &self,
        credential: &CredentialName,
        way: &Injection,
        secrets: &[Arc<Secret>],
    ) -> Result<Compiled, Unscrubbable> {
        let generations: Generations = secrets.iter().map(|secret| secret.generation()).collect();
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (credential.clone(), *way == Injection::Aws4);
        if let Some((same, scrubber)) = known.get(&key)
            && *same == generations
        {
            return Ok(scrubber.clone());
        }
        let texts = secrets.iter().map(|secret| secret.expose());
        let compiled = compile(credential, way, texts)?.map(Arc::new);
        known.insert(key, (generations, compiled.clone()));
        Ok(compiled)
    }

    /// Those of secrets that nobody may use any more are gone; the others are made again.
    pub(crate) fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

fn compile<'a>(
    credential: &CredentialName,
    way: &Injection,
    secrets: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Option<Scrubber>, Unscrubbable> {
    let sent: Vec<Zeroizing<Vec<u8>>> = secrets
        .into_iter()
        .flat_map(|secret| sent_of(way, secret))
        .collect();
    if sent.is_empty() {
        return Ok(None);
    }
    Scrubber::new(sent.iter().map(|text| (credential.clone(), text.as_slice()))).map(Some)
}

/// Of the keys of AWS only a session token is sent, with the others is signed; where there is one, both are looked for.
fn sent_of(way: &Injection, secret: &[u8]) -> Vec<Zeroizing<Vec<u8>>> {
    let keys = match way {
        Injection::Aws4 => Keys::parse(secret).ok(),
        _ => None,
    };
    let copied = |text: &[u8]| Zeroizing::new(text.to_vec());
    match keys {
        Some(keys) if keys.secrets().count() < 2 => Vec::new(),
        Some(keys) => keys.secrets().map(|text| copied(text.as_bytes())).collect(),
        None => vec![copied(secret)],
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
        let of = |secrets: &[Arc<Secret>]| scrubbers.of(&name, &way, secrets).map(Option::unwrap);
        let secret = |text: &[u8]| Arc::new(Secret::from_text(text).unwrap());
        let (first, second) = (secret(b"Zq8Lx2Vn7Rt4Yw9Kd3Mf"), secret(b"6Hb1Js5Gp0TcZq8Lx2Vn"));
        let (one, again) = (
            of(&[Arc::clone(&first)]).unwrap(),
            of(&[Arc::clone(&first)]).unwrap(),
        );
        assert!(Arc::ptr_eq(&one, &again));
        let both = of(&[Arc::clone(&second), first]).unwrap();
        assert!(
            both.masked(b"7Rt4Yw9Kd3Mf").is_some(),
            "the one that was replaced"
        );
        let other = of(&[second]).unwrap();
        assert!(!Arc::ptr_eq(&one, &other));
        assert!(
            other.masked(b"Zq8Lx2Vn7Rt4Yw9Kd3Mf").is_some(),
            "of what both have"
        );
        assert!(other.masked(b"7Rt4Yw9Kd3Mf").is_none());
        assert!(of(&[secret(b"short")]).is_err());
    }

    #[test]
    fn of_the_keys_of_aws_only_what_is_secret_is_masked() {
        let name = "aws".parse().unwrap();
        let keys = b"AKIAIOSFODNN7EXAMPLE:wJalrXUtnFEMI/K7MDENG/bPxRfiCYzEXAMPLEKEY:IQoJb3JpZ2luX2VjEJr";
        let scrubber = compile(&name, &Injection::Aws4, [&keys[..]]).unwrap().unwrap();
        let signs_only = &keys[..keys.len() - 20];
        assert!(compile(&name, &Injection::Aws4, [signs_only]).unwrap().is_none());
        assert!(scrubber.masked(b"AKIAIOSFODNN7EXAMPLE").is_none());
        assert!(
            scrubber
                .masked(b"wJalrXUtnFEMI/K7MDENG/bPxRfiCYzEXAMPLEKEY")
                .is_some()
        );
        assert!(scrubber.masked(b"IQoJb3JpZ2luX2VjEJr").is_some());
    }
}
