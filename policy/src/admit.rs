//! Deciding on addresses: which may be dialled for a connection, and what the parent proxy may be asked for, where there is one.

use std::net::{IpAddr, SocketAddr};

use crate::address::{AddressClass, carried_v4, classify};
use crate::decide::not_blocked;
use crate::denial::Denial;
use crate::environment::Environment;
use crate::host::Host;
use crate::host_ports;
use crate::parent_proxy::ParentProxy;
use crate::permit::{ConnectionPermit, DialPermit, ParentPermit, RuleName};
use crate::policy::Policy;
use crate::reason::Reason;
use crate::target::Target;

impl Policy {
    /// May this address be dialled for this connection?
    ///
    /// 1. The policy grants the connection, as it was granted.
    /// 2. If the target has a static address, it is that one; then its class does not matter.
    /// 3. The port is the target's, and the address is the target's if it asked for a literal.
    /// 4. It is not the parent proxy's, as far as the file says; [`keep_from_parent`](Self::keep_from_parent) knows more.
    /// 5. The address is not of a refused class, and not the machine's own, or `allowed_addresses` has an exception for it.
    /// 6. No blocklist has the address.
    ///
    /// For a port of the host: it is that port of either loopback address, and not the parent proxy's.
    pub fn admit(&self, permit: &ConnectionPermit, address: SocketAddr) -> Result<DialPermit, Denial> {
        let environment = self.environment_of(permit.sandbox())?;
        let granted_by = self.still_granted(permit)?;
        let target = permit.target();
        if let RuleName::HostPort(port) = granted_by {
            return self.admit_host_port(environment, permit, port, address);
        }
        let fixed = self.static_address(target);
        let expected_ip = fixed.map(|fixed| fixed.ip()).or(target.literal());
        let expected_port = fixed.map_or(target.port, |fixed| fixed.port());
        let is_expected_ip = expected_ip.is_none_or(|ip| ip.to_canonical() == address.ip().to_canonical());
        if address.port() != expected_port || !is_expected_ip {
            return Err(mismatch(environment, target, address));
        }
        self.keep_from_parent(permit, address, &[])?;
        if fixed.is_none() {
            self.check_class(environment, target, address.ip())?;
        }
        not_blocked(environment, target, &Host::from(address.ip()))?;
        Ok(DialPermit::new(permit.clone(), address))
    }

    /// May the parent proxy be asked for this connection by the target's name (or its literal)?
    ///
    /// 1. The policy grants the connection, as it was granted.
    /// 2. Every address that the target is known to have is admitted as if it were dialled. The parent may choose any of them,
    ///    or another: of a name without known addresses only the parent knows where it leads.
    pub fn admit_by_name(
        &self,
        permit: &ConnectionPermit,
        known: &[SocketAddr],
    ) -> Result<ParentPermit, Denial> {
        self.still_granted(permit)?;
        let target = permit.target();
        let literal = target.literal().map(|ip| SocketAddr::new(ip, target.port));
        for address in known.iter().copied().chain(literal) {
            self.admit(permit, address)?;
        }
        Ok(ParentPermit::new(permit.clone(), target.clone()))
    }

    /// The parent proxy asked for an address that may be dialled.
    pub fn admit_by_address(&self, dial: &DialPermit) -> ParentPermit {
        let address = dial.address();
        let asked_for = Target::new(Host::from(address.ip()), address.port());
        ParentPermit::new(dial.connection().clone(), asked_for)
    }

    /// May this address be dialled as the parent proxy's? The operator named the parent, so its class does not matter; the port,
    /// and the address of a parent that is named by address, must be the parent's.
    pub fn admit_parent(&self, permit: &ParentPermit, address: SocketAddr) -> Result<DialPermit, Denial> {
        let connection = permit.connection();
        let environment = self.environment_of(connection.sandbox())?;
        self.still_granted(connection)?;
        let is_parent = self.origins.parent_proxy().is_some_and(|parent| {
            let literal = parent.target().literal();
            address.port() == parent.target().port
                && literal.is_none_or(|ip| ip.to_canonical() == address.ip().to_canonical())
        });
        if !is_parent {
            return Err(mismatch(environment, connection.target(), address));
        }
        Ok(DialPermit::new(connection.clone(), address))
    }

    /// Refuses an address that is the parent proxy's, whatever name leads there: whoever speaks to the parent reaches what it
    /// reaches. `parent_at` are the addresses that its name is known to have.
    pub fn keep_from_parent(
        &self,
        permit: &ConnectionPermit,
        address: SocketAddr,
        parent_at: &[IpAddr],
    ) -> Result<(), Denial> {
        let leads_there = |parent: &ParentProxy| {
            let own = parent.target().literal();
            let ip = address.ip().to_canonical();
            address.port() == parent.target().port
                && parent_at
                    .iter()
                    .copied()
                    .chain(own)
                    .any(|known| known.to_canonical() == ip)
        };
        if !self.origins.parent_proxy().is_some_and(leads_there) {
            return Ok(());
        }
        let target = permit.target().clone();
        let environment = self.environment_of(permit.sandbox())?;
        Err(Denial::of(environment, Reason::ParentProxy { target }, None))
    }

    /// The parent proxy that a target is reached through, before its addresses are known. What has a static address, is named
    /// in `bypass` or is the host itself is reached directly.
    pub fn parent_for(&self, target: &Target) -> Option<&ParentProxy> {
        let parent = self.origins.parent_proxy()?;
        let direct = self.static_address(target).is_some()
            || parent.is_bypassed_for(target)
            || host_ports::is_host(&target.host);
        (!direct).then_some(parent)
    }

    /// True while the policy also admits the address that was admitted.
    pub fn still_admits(&self, permit: &DialPermit) -> bool {
        self.admit(permit.connection(), permit.address()).is_ok()
    }

    /// The static address of a target (`[origins] hosts`), with the target's port when none is written.
    pub fn static_address(&self, target: &Target) -> Option<SocketAddr> {
        self.origins.static_address(target)
    }

    /// The class of an address, the machine's own addresses included.
    pub fn classify(&self, address: IpAddr) -> AddressClass {
        let class = classify(address);
        if class != AddressClass::Loopback && self.is_own(address) {
            return AddressClass::Own;
        }
        class
    }

    fn admit_host_port(
        &self,
        environment: &Environment,
        permit: &ConnectionPermit,
        port: u16,
        address: SocketAddr,
    ) -> Result<DialPermit, Denial> {
        if !host_ports::addresses(port).contains(&address) {
            return Err(mismatch(environment, permit.target(), address));
        }
        self.keep_from_parent(permit, address, &[])?;
        Ok(DialPermit::new(permit.clone(), address))
    }

    fn check_class(&self, environment: &Environment, target: &Target, address: IpAddr) -> Result<(), Denial> {
        let class = self.classify(address);
        if !class.is_refused() || environment.exceptions.cover(address, class) {
            return Ok(());
        }
        let reason = Reason::AddressRefused {
            target: target.clone(),
            address,
            class,
        };
        Err(Denial::of(environment, reason, None))
    }

    fn is_own(&self, address: IpAddr) -> bool {
        let own = |address: &IpAddr| self.own_addresses.binary_search(address).is_ok();
        let carried = match address {
            IpAddr::V4(_) => None,
            IpAddr::V6(address) => carried_v4(address),
        };
        own(&address.to_canonical()) || carried.is_some_and(|carried| own(&IpAddr::V4(carried)))
    }
}

fn mismatch(environment: &Environment, target: &Target, address: SocketAddr) -> Denial {
    let reason = Reason::AddressMismatch {
        target: target.clone(),
        address,
    };
    Denial::of(environment, reason, None)
}

#[cfg(test)]
mod tests;
