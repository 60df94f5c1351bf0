//! Whatever is asked, the reply is small, answers that query, and names no address outside the pools.
#![no_main]
use libfuzzer_sys::fuzz_target;
use outwall_proxy::dns::{NameLimits, NameTable, answer, is_synthetic};

fuzz_target!(|message: &[u8]| {
    let names = NameTable::new(NameLimits {
        names: 16,
        names_below_one_suffix: 4,
    });
    let Some(reply) = answer(message, &names, &()) else {
        return;
    };
    assert!(reply.len() <= 512);
    assert_eq!(reply[..2], message[..2], "the reply has the query's id");
    assert!(reply[2] & 0x80 != 0, "the reply is one");
    assert_eq!(answer(&reply, &names, &()), None, "a reply is never answered");
    for index in 0..names.len() {
        let address =
            std::net::Ipv4Addr::from_bits(0xC612_0001 + u32::try_from(index).expect("a small table"));
        assert!(is_synthetic(address.into()));
        let name = names.name_of(address.into()).expect("indexes are dense");
        assert_eq!(
            names.assign(&name).expect("a known name keeps its addresses").v4,
            address
        );
    }
});
