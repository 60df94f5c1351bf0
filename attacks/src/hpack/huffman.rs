//! The Huffman code of HPACK (RFC 7541 appendix B). It is canonical: codes of one length count upwards in the order of their
//! bytes, so the lengths are the whole table.

/// The bits of each byte's code.
const LENGTHS: [u8; 256] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28,
    28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6,
    6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7,
    8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7,
    15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24,
    23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23,
    23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26,
    26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20,
    21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27,
    27, 27, 26,
];

/// The code of every byte, by length and then by byte.
fn codes() -> Vec<(u8, u32, u8)> {
    let mut order: Vec<u8> = (0..=255).collect();
    order.sort_by_key(|byte| (LENGTHS[usize::from(*byte)], *byte));
    let (mut code, mut before) = (0_u32, 0);
    let mut codes = Vec::with_capacity(256);
    for byte in order {
        let length = LENGTHS[usize::from(byte)];
        code <<= length - before;
        codes.push((length, code, byte));
        (code, before) = (code + 1, length);
    }
    codes
}

/// The bytes in code, padded with ones as the RFC demands.
pub(crate) fn encode(bytes: &[u8]) -> Vec<u8> {
    let codes = codes();
    let code_of = |byte: u8| codes.iter().find(|(_, _, of)| *of == byte);
    let mut bits = Vec::new();
    for byte in bytes {
        let (length, code, _) = code_of(*byte).expect("every byte has a code");
        bits.extend((0..*length).rev().map(|at| code >> at & 1 == 1));
    }
    bits.resize(bits.len().next_multiple_of(8), true);
    bits.chunks(8)
        .map(|eight| eight.iter().fold(0, |byte, bit| byte << 1 | u8::from(*bit)))
        .collect()
}

/// The bytes that `coded` stands for. What remains at the end is padding.
pub(crate) fn decode(coded: &[u8]) -> Vec<u8> {
    let table = codes();
    let (mut code, mut length) = (0_u32, 0_u8);
    let mut bytes = Vec::new();
    for bit in coded
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |at| byte >> at & 1))
    {
        (code, length) = (code << 1 | u32::from(bit), length + 1);
        if let Some((_, _, byte)) = table.iter().find(|(l, c, _)| (*l, *c) == (length, code)) {
            bytes.push(*byte);
            (code, length) = (0, 0);
        }
        if length > 30 {
            break; // the end-of-string code, which nothing honest sends
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_rfc_are_coded_as_it_says() {
        // RFC 7541 appendix C.4.1 and C.6.1.
        assert_eq!(
            encode(b"www.example.com"),
            [
                0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff
            ]
        );
        assert_eq!(encode(b"302"), [0x64, 0x02]);
    }

    #[test]
    fn every_byte_comes_back() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(decode(&encode(&all)), all);
    }
}
