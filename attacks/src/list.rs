//! The list, one room per section. `reference` lists of what other gates lost to are where it began; each class is here once,
//! with its parameters as attempts.

mod addresses;
mod allowed_host;
mod channels;
mod clients;
mod fronting;
mod hosts;
mod http1;
mod http1_heads;
mod http2;
mod http2_floods;
mod publishing;
mod sessions;
mod tunnels;

use crate::attack::Attack;

/// Every attack, in the order of the sections.
pub fn list() -> Vec<Attack> {
    let rooms = [
        hosts::list(),
        addresses::list(),
        fronting::list(),
        sessions::list(),
        http1::list(),
        http1_heads::list(),
        http2::list(),
        http2_floods::list(),
        channels::list(),
        allowed_host::list(),
        publishing::list(),
        tunnels::list(),
        clients::list(),
    ];
    rooms.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::attack::{Act, Inside, Opening};

    #[test]
    fn every_class_is_named_once_and_fits_a_label() {
        let mut seen = HashSet::new();
        for attack in list() {
            assert!(seen.insert(attack.class), "{} is there twice", attack.class);
            assert!(
                attack.class.len() <= 50,
                "{} is too long for a label with more",
                attack.class
            );
            let kebab = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
            assert!(attack.class.bytes().all(kebab), "{}", attack.class);
            assert!(
                !attack.attempts.is_empty() && !attack.twins.is_empty(),
                "{}",
                attack.class
            );
        }
        assert!(seen.len() >= 100, "{} classes", seen.len());
    }

    /// At a host of the world, what arrives is known by the host alone.
    #[test]
    fn every_host_of_the_world_is_one_classs() {
        let mut seen = HashSet::new();
        for attack in list() {
            for host in attack.hosts {
                assert!(seen.insert(host), "{host} is there twice");
            }
        }
    }

    /// One that nobody issues would be refused whatever it is to show.
    #[test]
    fn every_credential_that_is_shown_is_one_that_is_issued() {
        let text = format!("{:?}", list().iter().map(shown).collect::<String>());
        let shown: HashSet<_> = text
            .split("{token:")
            .skip(1)
            .filter_map(|rest| rest.split('}').next())
            .collect();
        assert_eq!(shown, HashSet::from(crate::TOKENS));
    }

    /// What an attack writes to a proxy.
    fn shown(attack: &Attack) -> String {
        let attempts = attack.attempts.iter().chain(&attack.twins);
        let talks = attempts.filter_map(|attempt| match &attempt.act {
            Act::Talk(talk) => Some(talk),
            _ => None,
        });
        let written = talks.map(|talk| {
            let pieces = String::from_utf8_lossy(&talk.pieces.concat()).into_owned();
            match &talk.opening {
                Opening::Proxy { fields, .. } => pieces + fields,
                Opening::Direct { .. } => pieces,
            }
        });
        written.collect()
    }

    #[test]
    fn no_attempt_is_one_of_its_twins() {
        for attack in list() {
            for twin in &attack.twins {
                let Act::Talk(twin) = &twin.act else { continue };
                assert!(
                    !matches!(twin.inside, Inside::SplitTls { .. }) || attack.class.contains("split"),
                    "{}",
                    attack.class
                );
            }
        }
    }
}
