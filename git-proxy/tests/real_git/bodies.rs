//! Bodies of pushes: recorded ones, with ids and refs of the scratch repository, changed in what a reader could trip over.

use std::fs;
use std::path::PathBuf;

use crate::random::Random;
use crate::scratch::Scratch;

/// Makes bodies for one repository.
pub(crate) struct Bodies<'a> {
    scratch: &'a Scratch,
    refs: Vec<(String, String)>,
    ids: Vec<String>,
    recorded: Vec<Recorded>,
    packs: Vec<Vec<u8>>,
}

/// A recorded push, taken apart.
struct Recorded {
    pieces: Vec<Piece>,
    pack: Vec<u8>,
}

#[derive(Clone)]
enum Piece {
    /// A pkt-line, without its length.
    Line(Vec<u8>),
    /// Bytes as they are: `0000`.
    Raw(Vec<u8>),
}

impl<'a> Bodies<'a> {
    pub(crate) fn of(scratch: &'a Scratch) -> Self {
        let null = "0".repeat(scratch.digits);
        let mut ids = scratch.commits.clone();
        ids.extend([null.clone(), null, scratch.new_commit.0.clone()]);
        let recorded: Vec<Recorded> = recorded("pushes")
            .iter()
            .map(|(_, body)| Recorded::of(body))
            .collect();
        let mut packs: Vec<Vec<u8>> = recorded.iter().map(|recorded| recorded.pack.clone()).collect();
        packs.extend([scratch.empty_pack.clone(), scratch.new_commit.1.clone()]);
        Self {
            scratch,
            refs: scratch.refs(),
            ids,
            recorded,
            packs,
        }
    }

    /// One body.
    pub(crate) fn make(&self, random: &mut Random) -> Vec<u8> {
        let recorded = random.pick(&self.recorded);
        let mut pieces = recorded.pieces.clone();
        for piece in &mut pieces {
            if let Piece::Line(line) = piece {
                self.settle(line, random);
            }
        }
        if !random.one_in(4) {
            keep_one_command(&mut pieces);
        }
        if random.one_in(3) {
            self.add_shallow(&mut pieces, random);
        }
        self.vary_capabilities(&mut pieces, random);
        if random.one_in(2) {
            for _ in 0..=random.below(3) {
                self.change_pieces(&mut pieces, random);
            }
        }
        let mut body = framed(&pieces, random);
        body.extend_from_slice(&self.pack(recorded, random));
        if random.one_in(4) {
            change_bytes(&mut body, random);
        }
        body
    }

    /// Gives a line ids that the repository has, mostly a place where its ref is, and mostly the session's ref.
    fn settle(&self, line: &mut Vec<u8>, random: &mut Random) {
        let end = line.iter().position(|byte| *byte == 0).unwrap_or(line.len());
        let tail = line.split_off(end);
        let text = String::from_utf8_lossy(line).into_owned();
        let words: Vec<&str> = text.trim_end().splitn(3, ' ').collect();
        let settled = match words.as_slice() {
            ["shallow", id] if is_id(id) => format!("shallow {}", random.pick(&self.ids)),
            [old, new, name] if is_id(old) && is_id(new) => {
                let name = if random.one_in(3) {
                    random.pick(&NAMES)
                } else {
                    &NAMES[0]
                }
                .replace("{}", name);
                let known = self
                    .refs
                    .iter()
                    .find(|(known, _)| *known == name)
                    .map(|(_, id)| id);
                let old = if random.one_in(5) {
                    random.pick(&self.ids)
                } else {
                    known.unwrap_or(&self.ids[0])
                };
                format!("{old} {} {name}", random.pick(&self.ids))
            }
            _ => text,
        };
        *line = settled.into_bytes();
        line.extend_from_slice(&tail);
    }

    fn add_shallow(&self, pieces: &mut Vec<Piece>, random: &mut Random) {
        for _ in 0..=random.below(2) {
            let line = format!("shallow {}", random.pick(&self.ids));
            pieces.insert(0, Piece::Line(line.into_bytes()));
        }
    }

    /// Other capabilities on the first line that has some.
    fn vary_capabilities(&self, pieces: &mut [Piece], random: &mut Random) {
        let first = pieces.iter_mut().find_map(|piece| match piece {
            Piece::Line(line) => line.iter().position(|byte| *byte == 0).map(|at| (line, at)),
            Piece::Raw(_) => None,
        });
        let Some((line, at)) = first else { return };
        line.truncate(at + 1);
        for (word, of) in CAPABILITIES {
            if random.one_in(of) {
                line.push(b' ');
                line.extend_from_slice(word.as_bytes());
            }
        }
        if self.scratch.digits == 64 || random.one_in(2) {
            let format = if (self.scratch.digits == 64) == random.one_in(20) {
                "sha1"
            } else {
                "sha256"
            };
            line.extend_from_slice(format!(" object-format={format}").as_bytes());
        }
    }

    /// Changes the list of pkt-lines.
    fn change_pieces(&self, pieces: &mut Vec<Piece>, random: &mut Random) {
        let at = random.below(pieces.len() + 1);
        let command = |name: &str, random: &mut Random| {
            format!("{} {} {name}", random.pick(&self.ids), random.pick(&self.ids))
        };
        match random.below(14) {
            0 if at < pieces.len() => drop(pieces.remove(at)),
            1 if at < pieces.len() => pieces.insert(at, pieces[at].clone()),
            2 if at < pieces.len() => pieces.swap(at, 0),
            3 => pieces.insert(at, Piece::Raw(random.pick(&RAW).to_vec())),
            4 => pieces.insert(at, Piece::Line(command("refs/heads/main", random).into_bytes())),
            5 => {
                let hidden = format!(
                    "{}\0{}",
                    command(NAMES[0], random),
                    command("refs/heads/main", random)
                );
                pieces.insert(at, Piece::Line(hidden.into_bytes()));
            }
            6 => {
                let certificate = self.certificate(random);
                pieces.splice(at..at, certificate);
            }
            7 => pieces.push(Piece::Line(b"ci.skip".to_vec())),
            8..=12 => self.change_line(pieces, random),
            _ => pieces.truncate(at),
        }
    }

    /// Changes one line in its place.
    fn change_line(&self, pieces: &mut [Piece], random: &mut Random) {
        if pieces.is_empty() {
            return;
        }
        let at = random.below(pieces.len());
        let Piece::Line(line) = &mut pieces[at] else {
            return;
        };
        let place = random.below(line.len() + 1);
        match random.below(7) {
            0 => line.push(b'\n'),
            1 => line.extend_from_slice(b"\r\n"),
            2 => drop(line.splice(place..place, random.pick(&SPLICED).iter().copied())),
            3 => line.make_ascii_uppercase(),
            4 => line.truncate(place),
            5 if place < line.len() => line[place] ^= 1 << random.below(8),
            _ => line.extend_from_slice(
                format!(
                    "\0{} {} refs/heads/main",
                    random.pick(&self.ids),
                    random.pick(&self.ids)
                )
                .as_bytes(),
            ),
        }
    }

    /// A push certificate that names another ref.
    fn certificate(&self, random: &mut Random) -> Vec<Piece> {
        let command = format!(
            "{} {} refs/heads/main\n",
            random.pick(&self.ids),
            random.pick(&self.ids)
        );
        let lines = [
            "push-cert\0report-status\n",
            "certificate version 0.1\n",
            "pusher a 1 +0000\n",
            "nonce x\n",
            "\n",
            &command,
            "push-cert-end\n",
        ];
        lines
            .iter()
            .map(|line| Piece::Line(line.as_bytes().to_vec()))
            .collect()
    }

    fn pack(&self, recorded: &Recorded, random: &mut Random) -> Vec<u8> {
        let deletes = recorded.pack.is_empty();
        match random.below(8) {
            0 => random.pick(&self.packs).clone(),
            1 => recorded.pack.clone(),
            2 => [b"0007ab\n0000", &self.scratch.empty_pack[..]].concat(),
            3 => self.scratch.new_commit.1.clone(),
            _ if deletes => Vec::new(),
            _ => self.scratch.empty_pack.clone(),
        }
    }
}

impl Recorded {
    /// Takes a recorded body apart, as git wrote it.
    fn of(body: &[u8]) -> Self {
        let (mut pieces, mut rest) = (Vec::new(), body);
        while !rest.is_empty() && !rest.starts_with(b"PACK") {
            let length = usize::from_str_radix(std::str::from_utf8(&rest[..4]).unwrap(), 16).unwrap();
            if length == 0 {
                pieces.push(Piece::Raw(rest[..4].to_vec()));
            } else {
                pieces.push(Piece::Line(rest[4..length].to_vec()));
            }
            rest = &rest[length.max(4)..];
        }
        Self {
            pieces,
            pack: rest.to_vec(),
        }
    }
}

/// The recorded bodies of a kind, with their names.
pub(crate) fn recorded(kind: &str) -> Vec<(String, Vec<u8>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(kind);
    let mut all: Vec<(String, Vec<u8>)> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| {
            (
                entry.file_name().into_string().unwrap(),
                fs::read(entry.path()).unwrap(),
            )
        })
        .collect();
    all.sort();
    all
}

/// Takes out every command but the first, as a push of the session's branch alone has it.
fn keep_one_command(pieces: &mut Vec<Piece>) {
    let mut seen = false;
    pieces.retain(|piece| match piece {
        Piece::Line(line) if !line.starts_with(b"shallow ") => !std::mem::replace(&mut seen, true),
        _ => true,
    });
}

fn framed(pieces: &[Piece], random: &mut Random) -> Vec<u8> {
    let mut body = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Raw(bytes) => body.extend_from_slice(bytes),
            Piece::Line(line) => {
                let off = if random.one_in(60) { random.below(9) } else { 4 };
                let length = format!("{:04x}", line.len() + off);
                let length = if random.one_in(60) {
                    length.to_uppercase()
                } else {
                    length
                };
                body.extend_from_slice(length.as_bytes());
                body.extend_from_slice(line);
            }
        }
    }
    body
}

fn change_bytes(body: &mut Vec<u8>, random: &mut Random) {
    if body.is_empty() {
        return;
    }
    for _ in 0..=random.below(2) {
        let at = random.below(body.len());
        match random.below(4) {
            0 => body.truncate(at.max(1)),
            1 => body.insert(at, *random.pick(b"\0\n 0aA/")),
            2 => drop(body.remove(at)),
            _ => body[at] ^= 1 << random.below(8),
        }
        if body.is_empty() {
            return;
        }
    }
}

fn is_id(word: &str) -> bool {
    word.len() >= 40 && word.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Names that may be taken for the session's, or for another; `{}` is the recorded one.
const NAMES: [&str; 28] = [
    "refs/heads/outwall/x",
    "refs/heads/outwall/x",
    "refs/heads/outwall/x",
    "{}",
    "refs/heads/main",
    "refs/heads/outwall/y",
    "refs/heads/outwall/X",
    "refs/heads/outwall",
    "refs/heads/outwall/x/y",
    "refs/heads/outwall/x ",
    " refs/heads/outwall/x",
    "refs/heads/outwall/x\n",
    "refs/heads/outwall/x\n\n",
    "refs/heads/outwall/x\r",
    "refs/heads/outwall//x",
    "refs/heads/outwall/./x",
    "refs/heads/../heads/main",
    "refs/heads/outwall/x/../../main",
    "/refs/heads/outwall/x",
    "heads/outwall/x",
    "refs/tags/v1",
    "refs/tags/outwall/x",
    "refs/pull/1/head",
    "refs/for/main",
    "HEAD",
    "refs/heads/outwall/x\u{200b}",
    "refs/heads/outwall/x refs/heads/main",
    "refs/remotes/origin/outwall/x",
];

/// What a client may ask for, and one in how many do.
const CAPABILITIES: [(&str, usize); 13] = [
    ("report-status", 2),
    ("report-status-v2", 2),
    ("side-band-64k", 2),
    ("quiet", 3),
    ("atomic", 3),
    ("agent=git/2.47.3", 2),
    ("session-id=1-2", 4),
    ("delete-refs", 8),
    ("ofs-delta", 8),
    ("push-options", 30),
    ("push-cert=x", 60),
    ("side-band", 60),
    ("new-thing", 60),
];

const RAW: [&[u8]; 8] = [
    b"0000", b"0001", b"0002", b"0003", b"0004", b"0005\n", b"fff1", b"PACK",
];

const SPLICED: [&[u8]; 8] = [
    b"\0",
    b"\n",
    b"\r",
    b" ",
    b"\t",
    b"refs/heads/main",
    b"\0refs/heads/main",
    b"\xff",
];
