//! The agents' own updates, where the hosts that they come from are off the list: each ends by itself, and nothing is let out.

use anyhow::{Result, ensure};

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
        let key = Key::of(case);
        let stand_in = StandIn::start(&key, case.socket)?;
        let place = Place::new(case, &stand_in, Access::Own, &key, &[case.host]);
        let ran = place.run(command)?; // which fails when it does not end
        ensure!(
            !ran.finished.status.success(),
            "`{command:?}` is content: {}",
            ran.account()
        );
        ensure!(
            ran.refused()
                .contains(&((*host).to_owned(), "host-not-allowed".to_owned())),
            "`{command:?}` was not refused {host}: {:?}",
            ran.refused()
        );
        say(&format!(
            "ok: `{}` ended after {:.1} s",
            command.join(" "),
            ran.finished.took.as_secs_f64()
        ));
    }
    Ok(())
}
