//! Ids of objects.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// The id of an object of git: 40 (SHA-1) or 64 (SHA-256) lower-case hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId(Box<str>);

/// Not 40 or 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the id of an object is 40 or 64 lower-case hexadecimal digits")]
pub struct ObjectIdError;

impl ObjectId {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it stands for no object: the old id of a ref that is created, the new one of a ref that is deleted.
    pub fn is_null(&self) -> bool {
        self.0.bytes().all(|digit| digit == b'0')
    }

    /// How many digits it has, which says by which hash it was made.
    pub fn digits(&self) -> usize {
        self.0.len()
    }
}

impl FromStr for ObjectId {
    type Err = ObjectIdError;

    fn from_str(text: &str) -> Result<Self, ObjectIdError> {
        let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if (text.len() == 40 || text.len() == 64) && text.bytes().all(digit) {
            Ok(Self(text.into()))
        } else {
            Err(ObjectIdError)
        }
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_spelling() {
        let sha1 = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
        assert!(
            sha1.parse::<ObjectId>()
                .is_ok_and(|id| !id.is_null() && id.digits() == 40)
        );
        assert!("0".repeat(64).parse::<ObjectId>().is_ok_and(|id| id.is_null()));
        for wrong in [
            "",
            &sha1[1..],
            &sha1.to_uppercase(),
            &format!("{sha1}0"),
            "g".repeat(40).as_str(),
        ] {
            assert!(wrong.parse::<ObjectId>().is_err(), "{wrong}");
        }
    }
}
