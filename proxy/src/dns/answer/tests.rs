#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::str::FromStr;
use std::sync::Mutex;

use hickory_proto::op::MessageType;
use hickory_proto::rr::rdata::opt::{EdnsCode, EdnsOption};
use proptest::prelude::*;

use super::super::names::{NameLimits, is_synthetic};
use super::*;

/// Remembers what it was told; hides names below `hidden.test`.
#[derive(Default)]
struct Witness {
    seen: Mutex<Vec<String>>,
    exhausted: Mutex<Vec<String>>,
}

impl Oversight for Witness {
    fn hides(&self, name: &DomainName) -> bool {
        name.as_str().ends_with("hidden.test")
    }
    fn first_seen(&self, name: &DomainName, kind: QueryKind) {
        self.seen
            .lock()
            .unwrap()
            .push(format!("{kind} {}", name.as_str()));
    }
    fn exhausted(&self, name: &DomainName, why: &Exhausted) {
        self.exhausted
            .lock()
            .unwrap()
            .push(format!("{}: {why}", name.as_str()));
    }
}

fn query(name: &str, kind: RecordType) -> Message {
    let mut message = Message::query();
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
    message
}

fn ask(message: &Message, names: &NameTable) -> Message {
    ask_before(&(), message, names)
}

fn ask_before(oversight: &dyn Oversight, message: &Message, names: &NameTable) -> Message {
    let reply = answer(&message.to_vec().unwrap(), names, oversight).unwrap();
    let reply = Message::from_vec(&reply).unwrap();
    assert_eq!(reply.metadata.id, message.metadata.id);
    assert_eq!(reply.metadata.message_type, MessageType::Response);
    reply
}

fn address(reply: &Message) -> Option<IpAddr> {
    match reply.answers.as_slice() {
        [] => None,
        [record] => match &record.data {
            RData::A(a) => Some(a.0.into()),
            RData::AAAA(aaaa) => Some(aaaa.0.into()),
            other => panic!("neither A nor AAAA: {other:?}"),
        },
        more => panic!("more than one record: {more:?}"),
    }
}

fn code(reply: &Message) -> ResponseCode {
    reply.metadata.response_code
}

#[test]
fn both_families_stand_for_the_name_and_live_a_minute() {
    let names = NameTable::default();
    let a = ask(&query("api.example.com.", RecordType::A), &names);
    let aaaa = ask(&query("api.example.com.", RecordType::AAAA), &names);
    assert_eq!(a.answers[0].ttl, TTL_SECONDS);
    assert!(a.metadata.recursion_available && a.metadata.recursion_desired);
    for reply in [a, aaaa] {
        assert_eq!(code(&reply), ResponseCode::NoError);
        let name = names.name_of(address(&reply).unwrap()).unwrap();
        assert_eq!(name.as_str(), "api.example.com");
    }
    assert_eq!(names.len(), 1);
}

#[test]
fn the_question_comes_back_in_the_case_it_was_asked_in() {
    let names = NameTable::default();
    let mixed = ask(&query("aPi.ExamPle.com.", RecordType::A), &names);
    assert_eq!(mixed.queries[0].name().to_ascii(), "aPi.ExamPle.com.");
    let lower = ask(&query("api.example.com.", RecordType::A), &names);
    assert_eq!(address(&mixed), address(&lower));
}

#[test]
fn other_types_exist_and_are_empty() {
    let names = NameTable::default();
    for kind in [
        RecordType::HTTPS,
        RecordType::SVCB,
        RecordType::TXT,
        RecordType::MX,
        RecordType::NULL,
        RecordType::ANY,
        RecordType::Unknown(65_400),
    ] {
        let reply = ask(&query("api.example.com.", kind), &names);
        assert_eq!(
            (code(&reply), address(&reply)),
            (ResponseCode::NoError, None),
            "{kind}"
        );
    }
}

#[test]
fn localhost_and_what_is_below_it_is_loopback() {
    let names = NameTable::default();
    for name in ["localhost.", "app.LocalHost."] {
        let a = ask(&query(name, RecordType::A), &names);
        assert_eq!(address(&a), Some(Ipv4Addr::LOCALHOST.into()));
        let aaaa = ask(&query(name, RecordType::AAAA), &names);
        assert_eq!(address(&aaaa), Some(Ipv6Addr::LOCALHOST.into()));
    }
    assert!(names.is_empty());
    let other = ask(&query("localhost.example.com.", RecordType::A), &names);
    assert!(is_synthetic(address(&other).unwrap()));
}

#[test]
fn the_sandboxs_own_name_is_the_sandbox() {
    let (v4, v6) = (Ipv4Addr::new(10, 99, 0, 2), "fd5b::2".parse().unwrap());
    let names = NameTable::default().with_own_name(DomainName::parse("outwall-box").unwrap(), v4, v6);
    let a = ask(&query("outwall-box.", RecordType::A), &names);
    let aaaa = ask(&query("outwall-box.", RecordType::AAAA), &names);
    assert_eq!((address(&a), address(&aaaa)), (Some(v4.into()), Some(v6.into())));
    let other = ask(&query("other-box.", RecordType::A), &names);
    assert!(is_synthetic(address(&other).unwrap()));
}

#[test]
fn what_is_not_a_host_name_does_not_exist() {
    let names = NameTable::default();
    let dotted = Name::from_labels([&b"evil\0"[..], b"example", b"com"]).unwrap();
    let with_dot = Name::from_labels([&b"evil.com"[..], b"example", b"com"]).unwrap();
    for name in [dotted, with_dot, Name::root()] {
        let mut message = Message::query();
        message.add_query(Query::query(name, RecordType::A));
        assert_eq!(code(&ask(&message, &names)), ResponseCode::NXDomain);
    }
    for name in ["169.254.169.254.", "0x7f.1.", "2130706433."] {
        let reply = ask(&query(name, RecordType::A), &names);
        assert_eq!(code(&reply), ResponseCode::NXDomain, "{name}");
    }
    assert!(names.is_empty());
    assert!(address(&ask(&query("com.example.", RecordType::A), &names)).is_some());
}

#[test]
fn a_hidden_name_does_not_exist_and_its_neighbour_does() {
    let (names, witness) = (NameTable::default(), Witness::default());
    let hidden = ask_before(&witness, &query("a.hidden.test.", RecordType::A), &names);
    assert_eq!((code(&hidden), address(&hidden)), (ResponseCode::NXDomain, None));
    let shown = ask_before(&witness, &query("a.shown.test.", RecordType::A), &names);
    assert!(address(&shown).is_some());
    assert_eq!(*witness.seen.lock().unwrap(), ["A a.shown.test"]);
}

#[test]
fn a_name_is_told_of_once_whatever_is_asked_of_it() {
    let (names, witness) = (NameTable::default(), Witness::default());
    for kind in [RecordType::TXT, RecordType::A, RecordType::AAAA] {
        ask_before(&witness, &query("c2VjcmV0.example.com.", kind), &names);
    }
    assert_eq!(*witness.seen.lock().unwrap(), ["TXT c2vjcmv0.example.com"]);
}

#[test]
fn a_flood_of_names_is_servfail_and_told_of() {
    let names = NameTable::new(NameLimits {
        names_below_one_suffix: 1,
        ..NameLimits::default()
    });
    let witness = Witness::default();
    let first = query("a.example.com.", RecordType::A);
    assert!(address(&ask_before(&witness, &first, &names)).is_some());
    let second = ask_before(&witness, &query("b.example.com.", RecordType::A), &names);
    assert_eq!(code(&second), ResponseCode::ServFail);
    assert!(address(&ask_before(&witness, &first, &names)).is_some());
    assert_eq!(
        *witness.exhausted.lock().unwrap(),
        [
            "b.example.com: the sandbox has looked up 1 distinct names below `example.com`, as many as are remembered"
        ]
    );
}

#[test]
fn a_reverse_lookup_tells_the_name_of_an_assigned_address_only() {
    let names = NameTable::default();
    let pair = names
        .assign(&DomainName::parse("api.example.com").unwrap())
        .unwrap();
    for address in [IpAddr::from(pair.v4), IpAddr::from(pair.v6)] {
        let reply = ask(&query(&Name::from(address).to_ascii(), RecordType::PTR), &names);
        let RData::PTR(rdata::PTR(name)) = &reply.answers[0].data else {
            panic!("not a PTR record: {reply:?}");
        };
        assert_eq!(name.to_ascii(), "api.example.com.");
    }
    for unknown in ["8.8.8.8", "198.18.77.1", "2001:4860:4860::8888"] {
        let name = Name::from(IpAddr::from_str(unknown).unwrap()).to_ascii();
        assert_eq!(
            code(&ask(&query(&name, RecordType::PTR), &names)),
            ResponseCode::NXDomain
        );
    }
}

#[test]
fn edns_is_tolerated_and_a_newer_one_told_so() {
    let names = NameTable::default();
    let mut message = query("api.example.com.", RecordType::A);
    let mut edns = Edns::new();
    edns.set_max_payload(4096);
    edns.options_mut()
        .insert(EdnsOption::Unknown(EdnsCode::Cookie.into(), vec![7; 8]));
    message.set_edns(edns.clone());
    let reply = ask(&message, &names);
    assert_eq!(reply.edns.as_ref().unwrap().max_payload(), EDNS_PAYLOAD_BYTES);
    assert!(address(&reply).is_some());

    edns.set_version(1);
    message.set_edns(edns);
    // 16 is BADSIG in a TSIG record and BADVERS in EDNS.
    assert_eq!(
        u16::from(code(&ask(&message, &names))),
        u16::from(ResponseCode::BADVERS)
    );
}

#[test]
fn another_operation_class_or_number_of_questions_is_refused_by_its_code() {
    let names = NameTable::default();
    let mut status = query("a.example.com.", RecordType::A);
    status.metadata.op_code = OpCode::Status;
    assert_eq!(code(&ask(&status, &names)), ResponseCode::NotImp);

    let mut chaos = query("a.example.com.", RecordType::TXT);
    chaos.queries[0].set_query_class(DNSClass::CH);
    assert_eq!(code(&ask(&chaos, &names)), ResponseCode::Refused);

    let mut two = query("a.example.com.", RecordType::A);
    two.add_query(Query::query(
        Name::from_str("b.example.com.").unwrap(),
        RecordType::A,
    ));
    assert_eq!(code(&ask(&two, &names)), ResponseCode::FormErr);

    let none = Message::query();
    assert_eq!(code(&ask(&none, &names)), ResponseCode::FormErr);
    assert!(names.is_empty());
}

#[test]
fn what_is_not_a_query_is_dropped_or_called_malformed() {
    let names = NameTable::default();
    let whole = query("a.example.com.", RecordType::A).to_vec().unwrap();
    assert_eq!(answer(&[], &names, &()), None);
    assert_eq!(answer(&whole[..11], &names, &()), None, "no whole header");

    let mut response = whole.clone();
    response[2] |= RESPONSE_BIT;
    assert_eq!(answer(&response, &names, &()), None, "a response");

    let mut long = whole.clone();
    long.resize(MOST_MESSAGE_BYTES + 1, 0);
    assert_eq!(answer(&long, &names, &()), None, "too long");

    let cut = answer(&whole[..whole.len() - 3], &names, &()).unwrap();
    assert_eq!(code(&Message::from_vec(&cut).unwrap()), ResponseCode::FormErr);

    let mut pointer_to_itself = whole[..12].to_vec();
    pointer_to_itself.extend([0xc0, 0x0c, 0, 1, 0, 1]);
    let reply = answer(&pointer_to_itself, &names, &()).unwrap();
    assert_eq!(code(&Message::from_vec(&reply).unwrap()), ResponseCode::FormErr);

    assert!(
        answer(&whole, &names, &()).is_some(),
        "the whole message is answered"
    );
}

#[test]
fn the_longest_name_fits_the_smallest_client() {
    let names = NameTable::default();
    let label = "a".repeat(63);
    let longest = format!("{label}.{label}.{label}.{}.", "a".repeat(61));
    let mut message = query(&longest, RecordType::AAAA);
    message.set_edns(Edns::new());
    let bytes = answer(&message.to_vec().unwrap(), &names, &()).unwrap();
    assert!(bytes.len() <= MOST_REPLY_BYTES, "{}", bytes.len());
    let given = address(&Message::from_vec(&bytes).unwrap()).unwrap();
    let reverse = query(&Name::from(given).to_ascii(), RecordType::PTR);
    assert_eq!(ask(&reverse, &names).answers.len(), 1);
}

#[test]
fn kinds_print_as_dig_prints_them() {
    let printed = [1, 28, 65, 16, 65_400].map(|n| QueryKind::from(RecordType::from(n)).to_string());
    assert_eq!(printed, ["A", "AAAA", "HTTPS", "TXT", "TYPE65400"]);
}

/// Every address in a reply lies in a pool, or is loopback for `localhost`.
fn assert_nothing_leaks(reply: &[u8]) {
    let reply = Message::from_vec(reply).expect("a reply is a message");
    for record in &reply.answers {
        let address = match &record.data {
            RData::A(a) => IpAddr::from(a.0),
            RData::AAAA(aaaa) => IpAddr::from(aaaa.0),
            RData::PTR(_) => continue,
            other => panic!("a record that nobody promised: {other:?}"),
        };
        let loopback = address.is_loopback() && record.name.is_localhost();
        assert!(is_synthetic(address) || loopback, "{address}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_answered_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let names = NameTable::default();
        if let Some(reply) = answer(&bytes, &names, &()) {
            prop_assert!(reply.len() <= MOST_REPLY_BYTES);
            assert_nothing_leaks(&reply);
        }
    }

    #[test]
    fn a_damaged_query_is_answered_without_harm(
        name in "[a-z0-9.]{1,40}", kind in any::<u16>(), at in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let names = NameTable::default();
        if let Ok(name) = Name::from_ascii(&name) {
            let mut message = Message::query();
            message.add_query(Query::query(name, RecordType::from(kind)));
            let mut bytes = message.to_vec().unwrap();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if let Some(reply) = answer(&bytes, &names, &()) {
                assert_nothing_leaks(&reply);
            }
        }
    }

    #[test]
    fn a_name_keeps_its_address_and_the_address_its_name(
        asked in prop::collection::vec("[a-c]{1,2}\\.(example|test)", 1..60),
    ) {
        let names = NameTable::default();
        let mut first_answers = std::collections::HashMap::new();
        for name in &asked {
            let reply = ask(&query(&format!("{name}."), RecordType::A), &names);
            let given = address(&reply).unwrap();
            prop_assert_eq!(*first_answers.entry(name.clone()).or_insert(given), given);
        }
        for (name, given) in first_answers {
            let behind = names.name_of(given).unwrap();
            prop_assert_eq!(behind.as_str(), name.as_str());
        }
    }
}
