//! The traffic of a log: what a policy can be asked about, once more or for the first time.
//!
//! An event is text that once came from a sandbox. Here it becomes nouns again (a target, a method, a path) or it does not count.
//! Start at [`Traffic`]: it puts a "going out" and its "came back" together.

use std::collections::HashMap;
use std::net::SocketAddr;

use outwall_policy::github::{GithubAction, SessionRepository};
use outwall_policy::{Method, SandboxId, Scheme, Target, Writing};

use crate::event::{Event, Kind};

mod at_github;
mod recorded_path;

pub use at_github::{DoneAtGithub, LedFrom, Moves, Told};
pub use recorded_path::RecordedPath;

/// One thing that a sandbox asked for, as the log has it.
#[derive(Clone, Debug, PartialEq)]
pub struct Passage {
    /// Who.
    pub sandbox: SandboxId,
    /// The environment of that sandbox.
    pub environment: String,
    /// When: RFC 3339, sorts as text.
    pub at: String,
    /// Host and port that were asked for.
    pub target: Target,
    /// What was to be done there.
    pub what: Wish,
    /// What became of it.
    pub outcome: Fate,
    /// The address that was dialled, as far as it is known.
    pub address: Option<SocketAddr>,
    /// Whether anything was connected to.
    pub reached: Reached,
    /// Bytes of the body that were sent.
    pub bytes_up: Option<u64>,
    /// The name of the credential that was put in.
    pub credential: Option<String>,
    /// Where the session of the sandbox works, if it has one.
    pub session: Option<SessionRepository>,
    /// The GitHub that the session of the sandbox works at had a part in it.
    pub at_github: bool,
    /// What it does there, where that was understood and is recorded.
    pub github: Option<DoneAtGithub>,
    /// The executable that asked, where that is certain. Hostile text.
    pub program: Option<String>,
    /// How many times.
    pub times: u64,
}

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Wish {
    /// A connection, of which nothing is known but where it was to go: it was refused.
    Connection,
    /// A tunnel.
    Tunnel,
    /// Plain TCP.
    Stream,
    /// A request.
    Request(Box<RequestWish>),
}

/// A request, as far as it is recorded.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RequestWish {
    /// How it was to reach its origin.
    pub scheme: Scheme,
    /// Its method.
    pub method: Method,
    /// The method that a header asked the origin to take it as.
    pub acts_as: Option<Method>,
    /// What it carried besides its head.
    pub writing: Writing,
    /// Its path.
    pub path: RecordedPath,
}

/// Whether anything was connected to. Going out is recorded before a name is resolved and its addresses are classified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// An address was dialled, or a parent proxy answered.
    Yes,
    /// Nobody knows, or it failed before.
    Unsure,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Fate {
    /// It went out, by this line of the policy.
    Passed {
        /// As the log has it.
        rule: String,
    },
    /// It was refused.
    Refused {
        /// Code of the reason.
        reason: String,
    },
}

/// Takes events in their order, gives what a policy can be asked about.
#[derive(Debug, Default)]
pub struct Traffic {
    /// What went out and did not come back yet, by its id.
    out: HashMap<String, Passage>,
    /// What failed before anything was reached, or before a push was seen to move its refs forward, by who and where to: a refusal of
    /// its address, or of that, may follow.
    in_doubt: HashMap<(SandboxId, Target), Vec<Passage>>,
    unreadable: u64,
    uncounted: u64,
}

impl Traffic {
    /// The next event of the log.
    pub fn take(&mut self, event: &Event) -> Option<Passage> {
        match event.kind {
            Kind::ExchangeGoingOut | Kind::ConnectionGoingOut => {
                match Passage::read(event) {
                    Some(passage) => drop(self.out.insert(event.id.clone(), passage)),
                    None => self.unreadable += 1,
                }
                None
            }
            Kind::ExchangeCameBack | Kind::ConnectionCameBack => {
                let mut passage = self.out.remove(event.closes.as_deref()?)?;
                passage.came_back(event);
                if passage.is_in_doubt() {
                    self.doubt(passage)
                } else {
                    Some(passage)
                }
            }
            Kind::Denied => self.refused(event),
            _ => None,
        }
    }

    /// What has gone out and is not back: the log ends before.
    pub fn rest(&mut self) -> impl Iterator<Item = Passage> + use<> {
        let in_doubt = std::mem::take(&mut self.in_doubt).into_values().flatten();
        let mut rest: Vec<Passage> = std::mem::take(&mut self.out).into_values().collect();
        rest.extend(in_doubt);
        rest.sort_by(|a, b| a.at.cmp(&b.at));
        rest.into_iter()
    }

    /// Events that cannot be read as what they say they are.
    pub fn unreadable(&self) -> u64 {
        self.unreadable
    }

    /// Refusals that the log only counts, because there were so many: nobody knows of what.
    pub fn uncounted(&self) -> u64 {
        self.uncounted
    }

    /// Keeps it until its refusal follows, or none does. Of very many that reached nothing the last count as refused: a few that passed
    /// say as much.
    fn doubt(&mut self, mut passage: Passage) -> Option<Passage> {
        let key = (passage.sandbox, passage.target.clone());
        let waiting = self.in_doubt.entry(key).or_default();
        if waiting.len() < MOST_IN_DOUBT {
            waiting.push(passage);
            return None;
        }
        if passage.reached == Reached::Unsure {
            passage.refuse(ADDRESS_REFUSED);
        }
        Some(passage)
    }

    /// What went out, and was then refused for its address or for what its push turned out to be, is on record twice.
    fn went_out(&mut self, refused: &Passage) -> Option<Passage> {
        let key = (refused.sandbox, refused.target.clone());
        let is_it = |one: &Passage| one.is_refused_as(refused);
        let mut waiting = self.in_doubt.get_mut(&key);
        let found = waiting
            .as_mut()
            .and_then(|waiting| Some(waiting.remove(waiting.iter().rposition(is_it)?)));
        let mut passage = found.or_else(|| self.still_out(refused))?;
        passage.outcome = refused.outcome.clone();
        passage.github = refused.github.clone().or(passage.github);
        Some(passage)
    }

    /// A push that is refused before its end is written down.
    fn still_out(&mut self, refused: &Passage) -> Option<Passage> {
        refused.github.as_ref()?;
        let is_it = |one: &Passage| {
            (one.sandbox, &one.target) == (refused.sandbox, &refused.target) && one.is_refused_as(refused)
        };
        let (id, _) = self.out.iter().find(|(_, one)| is_it(one))?;
        let id = id.clone();
        self.out.remove(&id)
    }

    fn refused(&mut self, event: &Event) -> Option<Passage> {
        if let Some(repeated) = event.repeated {
            self.uncounted += repeated;
            return None;
        }
        event.target.as_ref()?; // what could not be read as a target, or a stranger's
        let passage = Passage::read(event);
        self.unreadable += u64::from(passage.is_none());
        let passage = passage?;
        self.went_out(&passage).or(Some(passage))
    }
}

impl Passage {
    fn read(event: &Event) -> Option<Self> {
        let rule = event.rule.clone().unwrap_or_default();
        Some(Self {
            sandbox: event.sandbox.as_deref()?.parse().ok()?,
            environment: event.environment.clone()?,
            at: event.at.clone(),
            target: Target::parse(event.target.as_deref()?).ok()?,
            what: Wish::read(event)?,
            address: address(event),
            reached: Reached::of(event),
            bytes_up: None,
            credential: event.credential.clone(),
            session: match event.session.as_deref() {
                Some(session) => Some(session.parse().ok()?),
                None => None,
            },
            at_github: event.github.is_some() || rule.starts_with("github "),
            github: DoneAtGithub::read(event),
            program: event
                .process
                .as_ref()
                .and_then(|process| process.executable.clone()),
            times: 1,
            outcome: match event.kind {
                Kind::Denied => Fate::Refused {
                    reason: event.reason.clone()?,
                },
                _ => Fate::Passed { rule },
            },
        })
    }

    fn came_back(&mut self, event: &Event) {
        self.address = address(event).or(self.address);
        if Reached::of(event) == Reached::Yes {
            self.reached = Reached::Yes;
        }
        self.bytes_up = event.bytes_up;
        if let Some(done) = self
            .github
            .as_mut()
            .filter(|_| event.outcome.as_deref() == Some("complete"))
        {
            done.complete();
        }
        let sent = event.bytes_up.is_some_and(|bytes| bytes > 0);
        if let Wish::Request(request) = &mut self.what
            && request.writing == Writing::Nothing
            && sent
        {
            request.writing = Writing::Body; // a log of before `carries`
        }
    }

    /// Whether its refusal may follow: it came back without anything having been reached, or before its push was seen to go forward.
    fn is_in_doubt(&self) -> bool {
        let looked = self
            .github
            .as_ref()
            .is_some_and(|done| done.moves == Moves::Looked);
        looked || self.reached == Reached::Unsure
    }

    /// Whether this went out, and that is its refusal.
    fn is_refused_as(&self, refused: &Self) -> bool {
        let Fate::Refused { reason } = &refused.outcome else {
            return false;
        };
        let by_address = reason == ADDRESS_REFUSED && self.reached == Reached::Unsure;
        let both = self.github.as_ref().zip(refused.github.as_ref());
        by_address || both.is_some_and(|(done, refused)| done.turned_out(refused))
    }

    fn refuse(&mut self, reason: &str) {
        self.outcome = Fate::Refused {
            reason: reason.to_owned(),
        };
    }

    /// Whether a session read another repository than its own: GitHub itself was asked, by leave of the environment.
    pub fn reads_elsewhere(&self) -> bool {
        let (Some(session), Some(done)) = (&self.session, &self.github) else {
            return false;
        };
        let mut named = done.actions.all.iter().filter_map(GithubAction::repository);
        done.led_from.is_none() && named.any(|repository| *repository != session.repository)
    }

    /// The request, if it is one.
    pub fn request(&self) -> Option<&RequestWish> {
        match &self.what {
            Wish::Request(request) => Some(request),
            Wish::Connection | Wish::Tunnel | Wish::Stream => None,
        }
    }
}

impl Reached {
    fn of(event: &Event) -> Self {
        let answered = event.status.is_some() || event.outcome.as_deref() == Some("complete");
        if answered || address(event).is_some() {
            Self::Yes
        } else {
            Self::Unsure
        }
    }
}

const ADDRESS_REFUSED: &str = "address-refused";
/// For one sandbox and target.
const MOST_IN_DOUBT: usize = 64;

fn address(event: &Event) -> Option<SocketAddr> {
    event.address.as_deref()?.parse().ok()
}

impl Wish {
    fn read(event: &Event) -> Option<Self> {
        match (event.kind, event.scheme.as_deref()) {
            (Kind::ConnectionGoingOut, Some("tunnel")) => Some(Self::Tunnel),
            (Kind::ConnectionGoingOut, Some("stream")) => Some(Self::Stream),
            (Kind::ConnectionGoingOut, _) => None,
            (Kind::Denied, _) if event.method.is_none() || event.path.is_none() => Some(Self::Connection),
            _ => Some(Self::Request(Box::new(RequestWish::read(event)?))),
        }
    }
}

impl RequestWish {
    fn read(event: &Event) -> Option<Self> {
        let method = Method::parse(event.method.as_deref()?).ok()?;
        Some(Self {
            scheme: match event.scheme.as_deref()? {
                "https" => Scheme::Https,
                "http" => Scheme::Http,
                _ => return None,
            },
            acts_as: match event.acts_as.as_deref() {
                Some(other) => Some(Method::parse(other).ok()?),
                None => None,
            },
            writing: writing(event, &method),
            method,
            path: RecordedPath::read(event.path.as_deref()?)?,
        })
    }
}

/// What a refused reading carried is not recorded, but why it was refused is.
fn writing(event: &Event, method: &Method) -> Writing {
    let reads = ["GET", "HEAD", "OPTIONS"].contains(&method.as_str());
    match event.carries.as_deref() {
        Some("body") => Writing::Body,
        Some("upgrade") => Writing::Upgrade,
        _ if reads && event.reason.as_deref() == Some("trusted-write-refused") => Writing::Body,
        _ => Writing::Nothing,
    }
}

impl std::fmt::Display for RequestWish {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
pub(crate) mod tests {
    use super::*;
    use crate::mask::Masked;

    /// What `Traffic` makes of these lines.
    pub(crate) fn traffic(lines: &[String]) -> Vec<Passage> {
        let mut traffic = Traffic::default();
        let mut all: Vec<Passage> = lines
            .iter()
            .filter_map(|line| traffic.take(&Event::parse(line).unwrap()))
            .collect();
        all.extend(traffic.rest());
        all
    }

    pub(crate) fn line(seq: usize, kind: &str, fields: &str) -> String {
        format!(
            r#"{{"v":1,"seq":{seq},"id":"00-{seq}","at":"2026-11-26T06:00:{:02}.000000000Z","kind":"{kind}","environment":"test","sandbox":"s-00000001"{fields}}}"#,
            seq % 60
        )
    }

    pub(crate) fn request(seq: usize, method: &str, url: &str, rule: &str) -> String {
        let (scheme, rest) = url.split_once("://").unwrap();
        let (target, path) = rest.split_once('/').unwrap();
        let rule = rule.replace('"', "\\\"");
        line(
            seq,
            "exchange.going_out",
            &format!(
                r#","target":"{target}","scheme":"{scheme}","method":"{method}","path":"/{path}","decision":"allow","rule":"{rule}""#
            ),
        )
    }

    pub(crate) fn denied(seq: usize, target: &str, reason: &str) -> String {
        line(
            seq,
            "denied",
            &format!(r#","target":"{target}","decision":"deny","reason":"{reason}""#),
        )
    }

    #[test]
    fn a_request_and_its_end_are_one_passage() {
        let went = request(
            1,
            "POST",
            "https://a.test:443/x?y=*",
            "allowed_domains \"a.test\"",
        );
        let back = line(
            2,
            "exchange.came_back",
            r#","for":"00-1","outcome":"complete","address":"192.0.2.1:443","status":200,"bytes_up":5"#,
        );
        let all = traffic(&[went, back]);
        assert_eq!(all.len(), 1);
        let request = all[0].request().unwrap();
        assert_eq!(
            (request.to_string().as_str(), request.writing),
            ("POST /x", Writing::Body)
        );
        assert_eq!(all[0].address, Some("192.0.2.1:443".parse().unwrap()));
        assert_eq!(all[0].bytes_up, Some(5));
    }

    #[test]
    fn what_never_came_back_counts_too_and_what_is_no_target_does_not() {
        let mut traffic = Traffic::default();
        for line in [
            request(1, "GET", "https://a.test:443/", "r"),
            request(2, "GET", "https://not a host/", "r"),
            denied(3, "b.test:443", "host-not-allowed"),
            line(4, "denied", r#","reason":"host-not-allowed","repeated":7"#),
            line(5, "finding", r#","reason":"x""#),
        ] {
            traffic.take(&Event::parse(&line).unwrap());
        }
        assert_eq!(traffic.rest().count(), 1);
        assert_eq!((traffic.unreadable(), traffic.uncounted()), (1, 7));
    }

    #[test]
    fn what_is_masked_is_unknown_and_what_is_not_is_known() {
        for path in [
            "/simple/requests/",
            "/x/ghp_16C7e42F292c6912E7710c838347Ae178B4a/y",
        ] {
            let written = Masked {
                path,
                query: Some("a=b"),
                hidden: &[],
            }
            .to_string();
            let read = RecordedPath::read(&written).unwrap();
            assert_eq!(read.whole().is_some(), written.starts_with(path), "{written}");
        }
    }
}
