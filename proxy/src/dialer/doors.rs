//! Where clients connect that address the gate as a proxy: a gate must not be its own parent.

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};

use outwall_policy::AddressClass;

/// The doors of a gate, those of all its sandboxes. Captured ones are in networks of their own, and not reached from here.
#[derive(Default)]
pub(crate) struct Doors(Mutex<Vec<SocketAddr>>);

impl Doors {
    pub(crate) fn open(&self, listeners: &[SocketAddr]) {
        let mut doors = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        doors.extend_from_slice(listeners);
    }

    /// Whether who connects there comes back to us. A listener for every address is met at the machine's own ones.
    pub(crate) fn lead_from(&self, address: SocketAddr, class: AddressClass) -> bool {
        let is_ours = matches!(
            class,
            AddressClass::Loopback | AddressClass::Own | AddressClass::Unspecified
        );
        let met = |door: &SocketAddr| {
            door.port() == address.port()
                && (door.ip().to_canonical() == address.ip().to_canonical()
                    || door.ip().is_unspecified() && is_ours)
        };
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .any(met)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_door_is_met_at_its_address_and_one_for_every_address_at_the_machines_own() {
        let address = |text: &str| text.parse::<SocketAddr>().expect("an address");
        let doors = Doors::default();
        doors.open(&[address("127.0.0.1:8080"), address("0.0.0.0:3128")]);
        assert!(doors.lead_from(address("127.0.0.1:8080"), AddressClass::Loopback));
        assert!(!doors.lead_from(address("127.0.0.1:8081"), AddressClass::Loopback));
        assert!(doors.lead_from(address("192.0.2.1:3128"), AddressClass::Own));
        assert!(!doors.lead_from(address("192.0.2.1:3128"), AddressClass::Public));
    }
}
