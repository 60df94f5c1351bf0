//! How much a sandbox may use, and how large its requests may be.

use super::{Compiler, Lists};
use crate::allowances::{Allowances, Amounts, LimitKind};
use crate::document::{AmountsDocument, HostLimitsDocument, LimitsDocument, SizeDocument};
use crate::pattern::HostPattern;
use crate::sizes::{SizeEntry, Sizes};

impl Compiler {
    /// None where nothing is limited.
    pub(super) fn allowances(&mut self, written: &LimitsDocument, lists: &Lists) -> Option<Allowances> {
        let allowances = Allowances {
            sandbox: amounts(&written.sandbox),
            each_host: amounts(&written.each_host),
            hosts: written
                .hosts
                .iter()
                .filter_map(|entry| self.host_limits(entry, lists))
                .collect(),
        };
        self.check_each_host(written);
        let nothing = Amounts::default();
        let limits_something =
            allowances.sandbox != nothing || allowances.each_host != nothing || !allowances.hosts.is_empty();
        limits_something.then_some(allowances)
    }

    fn host_limits(&mut self, written: &HostLimitsDocument, lists: &Lists) -> Option<(HostPattern, Amounts)> {
        let host = self.pattern("limits.hosts", &written.host)?;
        let of_requests = LimitKind::ALL
            .into_iter()
            .find(|kind| kind.is_of_requests() && written.amounts.0[kind.index()].is_some());
        let unread = lists
            .unread()
            .find(|(pattern, _)| pattern.hosts.overlaps(&host.hosts));
        if let (Some(kind), Some((pattern, _))) = (of_requests, unread) {
            let what = format!(
                "`{}` for \"{host}\" cannot be counted at \"{pattern}\", which is relayed unread",
                kind.key()
            );
            let remedy =
                "limit its connections_per_minute or bytes instead, or name the host without wildcard";
            self.problem(written.host.place, what, remedy);
        }
        Some((host, amounts(&written.amounts)))
    }

    /// What each host may have is bounded by what the sandbox has.
    fn check_each_host(&mut self, written: &LimitsDocument) {
        for kind in LimitKind::ALL {
            let (Some(sandbox), Some(each)) = (
                &written.sandbox.0[kind.index()],
                &written.each_host.0[kind.index()],
            ) else {
                continue;
            };
            if each.value >= sandbox.value {
                let key = kind.key();
                let what =
                    format!("`{key}` of `limits.each_host` is not less than the sandbox's own, which counts");
                self.warn(each.place, what, "make it less, or leave it out");
            }
        }
    }

    pub(super) fn sizes(&mut self, written: &[SizeDocument], lists: &Lists) -> Sizes {
        Sizes(written.iter().filter_map(|size| self.size(size, lists)).collect())
    }

    fn size(&mut self, written: &SizeDocument, lists: &Lists) -> Option<SizeEntry> {
        let methods = written
            .methods
            .iter()
            .filter_map(|method| self.method(method))
            .collect();
        let host = match &written.host {
            Some(text) => Some(self.pattern("host", text)?),
            None => None,
        };
        self.check_size_is_enforced(written, host.as_ref(), lists);
        Some(SizeEntry {
            host,
            methods,
            most: [0, 1, 2].map(|part| {
                let most = written.most[part].as_ref()?;
                Some((most.value, most.place.line()))
            }),
        })
    }

    /// The size of a request is seen where requests are read.
    fn check_size_is_enforced(&mut self, written: &SizeDocument, host: Option<&HostPattern>, lists: &Lists) {
        let Some((pattern, _)) = lists
            .unread()
            .find(|(pattern, _)| host.is_none_or(|host| host.overlaps(pattern)))
        else {
            return;
        };
        let remedy = "use limits.upload_bytes_per_hour for what is relayed unread";
        if let Some(host) = host {
            let what = format!(
                "the entry of `sizes` for \"{host}\" cannot be enforced on \"{pattern}\", which is relayed unread"
            );
            self.problem(written.place, what, remedy);
        } else {
            let what = format!("the entry of `sizes` does not reach \"{pattern}\", which is relayed unread");
            self.warn(written.place, what, remedy);
        }
    }
}

fn amounts(written: &AmountsDocument) -> Amounts {
    let amount = |kind: LimitKind| {
        let written = written.0[kind.index()].as_ref()?;
        Some((written.value, written.place.line()))
    };
    Amounts(LimitKind::ALL.map(amount))
}
