//! The agents' own updates, where the hosts that they come from are off the list: each ends by itself, and nothing is let out.

use std::time::Duration;

use anyhow::{Result, bail, ensure};

use super::catalogue::CASES;
use super::key::{Access, Key};
use super::say;
use super::stand_in::StandIn;
use super::wall::Place;

/// What a user would type, and a host that it cannot do without.
const UPDATES: &[(&[&str], &str)] = &[
    (&["claude", "update"], "registry.npmjs.org"),
    (&["claude", "install"], "downloads.claude.ai"),
    (&["codex", "update"], "registry.npmjs.org"),
    (&["opencode", "upgrade", "--method", "npm"], "registry.npmjs.org"), // without it, it asks its user
];

pub(super) fn tell() -> Result<()> {
    for (command, host) in UPDATES {
        let agent = CASES.iter().find(|case| case.program() == command[0]);
        let case = agent.expect("each has a case");
        let key = Key::of(case, 0);
        let stand_in = StandIn::start(case, &key)?;
        let place = Place::new(case, (&stand_in, &key), Access::Own, case.service.host);
        let refused = (0..ATTEMPTS).find_map(|_| is_refused(&place, command, host).transpose());
        let took = refused.unwrap_or_else(|| bail!("`{command:?}` was never refused {host}"))?;
        say(&format!(
            "ok: `{}` ended after {:.1} s",
            command.join(" "),
            took.as_secs_f64()
        ));
    }
    Ok(())
}

/// How long it took to end, refused. None where it gave up before it asked.
fn is_refused(place: &Place, command: &[&str], host: &str) -> Result<Option<Duration>> {
    let ran = place.run(command)?; // which fails when it does not end
    ensure!(
        !ran.finished.status.success() && ran.went_out(host).is_empty(),
        "`{command:?}` is content: {}",
        ran.account()
    );
    let expected = (host.to_owned(), "host-not-allowed".to_owned());
    Ok(ran.refused().contains(&expected).then_some(ran.finished.took))
}

/// `claude update` gives npm 5 seconds to begin, which a busy machine may not have.
const ATTEMPTS: usize = 4;
