//! The table of one sandbox: name ↔ synthetic addresses.
//!
//! Invariants, and what each is for:
//! 1. An address never changes its name while the sandbox lives: a connection to it
//!    means the name, and a client may have kept the address for hours.
//! 2. Both families of one name share an index, so either tells the name.
//! 3. The table is bounded, in all and below one suffix: a lookup costs the sandbox
//!    nothing, so without bounds it would be free memory in the gate.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use outwall_policy::DomainName;
use thiserror::Error;

/// Which synthetic addresses stand for which name, within one sandbox.
///
/// Shared by `Arc` between the DNS listeners, which assign, and the connection path,
/// which asks back. The lock inside is held for a hash lookup and never across I/O.
#[derive(Debug)]
pub struct NameTable {
    limits: NameLimits,
    assigned: RwLock<Assigned>,
    own: HashMap<DomainName, SyntheticAddresses>,
}

/// How much one sandbox may make us remember.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameLimits {
    /// Names in all. More than [`NameLimits::MOST`] is taken as that many.
    pub names: u32,
    /// Names that share their last two labels: what a wildcard or a registrable domain
    /// covers, near enough, without a list of public suffixes.
    pub names_below_one_suffix: u32,
}

impl NameLimits {
    /// As many names as the IPv4 pool has addresses, less its first and last.
    pub const MOST: u32 = (1 << (32 - POOL_V4_BITS)) - 2;
}

impl Default for NameLimits {
    fn default() -> Self {
        Self {
            names: 65_536,
            names_below_one_suffix: 4_096,
        }
    }
}

/// The pair of addresses that stands for one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyntheticAddresses {
    /// Answer to an A query.
    pub v4: Ipv4Addr,
    /// Answer to an AAAA query.
    pub v6: Ipv6Addr,
}

/// A name that got no addresses, because the sandbox has asked for too many.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Exhausted {
    /// [`NameLimits::names`] is reached.
    #[error("the sandbox has looked up {limit} distinct names, as many as are remembered")]
    Table {
        /// The limit that is reached.
        limit: u32,
    },
    /// [`NameLimits::names_below_one_suffix`] is reached: the shape of data being
    /// spelled out in labels.
    #[error("the sandbox has looked up {limit} distinct names below `{suffix}`, as many as are remembered")]
    BelowSuffix {
        /// The last two labels, shared by all these names.
        suffix: String,
        /// The limit that is reached.
        limit: u32,
    },
}

/// What [`NameTable::assign`] found or made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Assignment {
    pub(super) addresses: SyntheticAddresses,
    pub(super) first_time: bool,
}

#[derive(Debug, Default)]
struct Assigned {
    by_name: HashMap<DomainName, u32>,
    by_index: Vec<DomainName>,
    below_suffix: HashMap<Box<str>, u32>,
}

impl NameTable {
    /// An empty table with these limits.
    pub fn new(limits: NameLimits) -> Self {
        let names = limits.names.min(NameLimits::MOST);
        Self {
            limits: NameLimits { names, ..limits },
            assigned: RwLock::default(),
            own: HashMap::new(),
        }
    }

    /// Adds a name that is the sandbox itself (its host name), answered with the
    /// sandbox's own addresses and never with synthetic ones.
    #[must_use]
    pub fn with_own_name(mut self, name: DomainName, v4: Ipv4Addr, v6: Ipv6Addr) -> Self {
        self.own.insert(name, SyntheticAddresses { v4, v6 });
        self
    }

    /// The addresses that stand for `name`, the same ones every time.
    ///
    /// # Errors
    /// [`Exhausted`] when the name is unknown and a limit is reached. Names that have
    /// their addresses keep them.
    pub fn assign(&self, name: &DomainName) -> Result<SyntheticAddresses, Exhausted> {
        self.assignment(name).map(|assignment| assignment.addresses)
    }

    pub(super) fn assignment(&self, name: &DomainName) -> Result<Assignment, Exhausted> {
        if let Some(index) = self.read().by_name.get(name) {
            return Ok(Assignment {
                addresses: addresses_at(*index),
                first_time: false,
            });
        }
        let mut assigned = self.assigned.write().unwrap_or_else(PoisonError::into_inner);
        assigned.insert(name, self.limits)
    }

    /// The name that `address` stands for, or `None` when it stands for none: not a
    /// synthetic address, or one that this sandbox was never told.
    pub fn name_of(&self, address: IpAddr) -> Option<DomainName> {
        let index = usize::try_from(index_of(address)?).ok()?;
        self.read().by_index.get(index).cloned()
    }

    /// Whether `address` lies in one of the pools, assigned or not.
    pub fn is_synthetic(&self, address: IpAddr) -> bool {
        is_synthetic(address)
    }

    /// How many names have addresses.
    pub fn len(&self) -> usize {
        self.read().by_index.len()
    }

    /// Whether no name has been asked for.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn own_addresses(&self, name: &DomainName) -> Option<SyntheticAddresses> {
        self.own.get(name).copied()
    }

    fn read(&self) -> RwLockReadGuard<'_, Assigned> {
        // Every write below leaves the table whole, so a panic elsewhere poisons nothing.
        self.assigned.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for NameTable {
    fn default() -> Self {
        Self::new(NameLimits::default())
    }
}

impl Assigned {
    fn insert(&mut self, name: &DomainName, limits: NameLimits) -> Result<Assignment, Exhausted> {
        if let Some(index) = self.by_name.get(name) {
            // Another thread was first, between the read lock and this write lock.
            return Ok(Assignment {
                addresses: addresses_at(*index),
                first_time: false,
            });
        }
        let index = u32::try_from(self.by_index.len())
            .ok()
            .filter(|index| *index < limits.names)
            .ok_or(Exhausted::Table { limit: limits.names })?;
        self.count_below_suffix(name, limits.names_below_one_suffix)?;
        self.by_name.insert(name.clone(), index);
        self.by_index.push(name.clone());
        Ok(Assignment {
            addresses: addresses_at(index),
            first_time: true,
        })
    }

    fn count_below_suffix(&mut self, name: &DomainName, limit: u32) -> Result<(), Exhausted> {
        let suffix = last_two_labels(name.as_str());
        match self.below_suffix.get_mut(suffix) {
            Some(count) if *count >= limit => {
                return Err(Exhausted::BelowSuffix {
                    suffix: suffix.to_owned(),
                    limit,
                });
            }
            Some(count) => *count += 1,
            None => {
                self.below_suffix.insert(suffix.into(), 1);
            }
        }
        Ok(())
    }
}

/// Whether `address` lies in one of the pools: never an origin's address.
pub fn is_synthetic(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.to_bits() >> (32 - POOL_V4_BITS) == POOL_V4 >> (32 - POOL_V4_BITS),
        IpAddr::V6(v6) => v6.to_bits() >> (128 - POOL_V6_BITS) == POOL_V6 >> (128 - POOL_V6_BITS),
    }
}

fn addresses_at(index: u32) -> SyntheticAddresses {
    // The pools' first addresses are left out: they are the networks' own.
    let offset = index + 1;
    SyntheticAddresses {
        v4: Ipv4Addr::from_bits(POOL_V4 + offset),
        v6: Ipv6Addr::from_bits(POOL_V6 + u128::from(offset)),
    }
}

fn index_of(address: IpAddr) -> Option<u32> {
    let address = address.to_canonical();
    if !is_synthetic(address) {
        return None;
    }
    let offset = match address {
        IpAddr::V4(v4) => v4.to_bits() - POOL_V4,
        IpAddr::V6(v6) => u32::try_from(v6.to_bits() - POOL_V6).ok()?,
    };
    offset.checked_sub(1)
}

pub(crate) fn last_two_labels(name: &str) -> &str {
    let start = name.rmatch_indices('.').nth(1).map_or(0, |(dot, _)| dot + 1);
    &name[start..]
}

/// 198.18.0.0/15: set aside for benchmarks (RFC 2544), so nobody's origin.
const POOL_V4: u32 = Ipv4Addr::new(198, 18, 0, 0).to_bits();
const POOL_V4_BITS: u32 = 15;

/// A unique local prefix (RFC 4193) apart from the sandbox's own `fd5b::2`.
const POOL_V6: u128 = Ipv6Addr::new(0xfd5b, 0x6f75, 0x7477, 0, 0, 0, 0, 0).to_bits();
const POOL_V6_BITS: u32 = 48;

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn name(text: &str) -> DomainName {
        DomainName::parse(text).unwrap()
    }

    #[test]
    fn an_address_of_either_family_tells_its_name() {
        let table = NameTable::default();
        let first = table.assign(&name("a.example.com")).unwrap();
        let second = table.assign(&name("b.example.com")).unwrap();
        assert_ne!(first, second);
        assert_eq!(table.name_of(first.v4.into()), Some(name("a.example.com")));
        assert_eq!(table.name_of(first.v6.into()), Some(name("a.example.com")));
        assert_eq!(table.name_of(second.v4.into()), Some(name("b.example.com")));
        assert_eq!(
            table.name_of(second.v4.to_ipv6_mapped().into()),
            Some(name("b.example.com"))
        );
    }

    #[test]
    fn a_name_keeps_its_addresses() {
        let table = NameTable::default();
        let first = table.assign(&name("a.example.com")).unwrap();
        table.assign(&name("b.example.com")).unwrap();
        assert_eq!(table.assign(&name("a.example.com")), Ok(first));
        assert_eq!(table.len(), 2);
    }

    #[test]
    fn an_address_that_was_never_given_stands_for_nothing() {
        let table = NameTable::default();
        table.assign(&name("a.example.com")).unwrap();
        for address in [
            "198.18.0.0",
            "198.18.0.2",
            "198.19.255.255",
            "fd5b:6f75:7477::",
            "fd5b:6f75:7477:ffff::1",
        ] {
            let address: IpAddr = address.parse().unwrap();
            assert!(table.is_synthetic(address), "{address} is in a pool");
            assert_eq!(table.name_of(address), None, "{address} was not assigned");
        }
    }

    #[test]
    fn addresses_beside_the_pools_are_not_synthetic() {
        for address in [
            "198.17.255.255",
            "198.20.0.0",
            "10.99.0.2",
            "fd5b::2",
            "fd5b:6f75:7478::1",
            "::1",
            "127.0.0.1",
        ] {
            assert!(!is_synthetic(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn a_full_table_takes_no_new_name_and_keeps_the_old_ones() {
        let table = NameTable::new(NameLimits {
            names: 2,
            ..NameLimits::default()
        });
        let kept = table.assign(&name("a.example")).unwrap();
        table.assign(&name("b.example")).unwrap();
        assert_eq!(
            table.assign(&name("c.example")),
            Err(Exhausted::Table { limit: 2 })
        );
        assert_eq!(table.assign(&name("a.example")), Ok(kept));
    }

    #[test]
    fn a_flood_below_one_suffix_leaves_room_for_other_names() {
        let table = NameTable::new(NameLimits {
            names_below_one_suffix: 2,
            ..NameLimits::default()
        });
        table.assign(&name("a.example.com")).unwrap();
        table.assign(&name("b.c.example.com")).unwrap();
        let flood = Exhausted::BelowSuffix {
            suffix: "example.com".to_owned(),
            limit: 2,
        };
        assert_eq!(table.assign(&name("d.example.com")), Err(flood));
        table.assign(&name("a.example.org")).unwrap();
    }

    #[test]
    fn the_whole_pool_can_be_assigned_and_stays_inside_the_pool() {
        let last = addresses_at(NameLimits::MOST - 1);
        assert_eq!(last.v4, Ipv4Addr::new(198, 19, 255, 254));
        assert!(is_synthetic(last.v6.into()));
        let more = NameTable::new(NameLimits {
            names: u32::MAX,
            names_below_one_suffix: u32::MAX,
        });
        assert_eq!(more.limits.names, NameLimits::MOST);
    }

    #[test]
    fn a_suffix_is_the_last_two_labels() {
        assert_eq!(last_two_labels("a.b.example.com"), "example.com");
        assert_eq!(last_two_labels("example.com"), "example.com");
        assert_eq!(last_two_labels("localhost"), "localhost");
    }
}
