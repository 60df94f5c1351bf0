//! HPACK (RFC 7541): fields as an attacker writes them, and as an origin or a client reads them.
//!
//! The writer writes whatever it is told, line breaks and upper case included. The reader reads what a well-behaved encoder
//! wrote, dynamic table and Huffman code included.

pub(crate) mod huffman;

use std::collections::VecDeque;

/// A name and a value, both as bytes that need not be text.
pub(crate) type Field = (Vec<u8>, Vec<u8>);

/// A literal field without indexing (section 6.2.2), its strings as they are.
pub(crate) fn literal(name: &[u8], value: &[u8]) -> Vec<u8> {
    [&[0][..], &string(name, 0), &string(value, 0)].concat()
}

/// The same in Huffman code, which a check of the coded bytes would not see through.
pub(crate) fn literal_huffman(name: &[u8], value: &[u8]) -> Vec<u8> {
    let coded = |text: &[u8]| string(&huffman::encode(text), 0x80);
    [vec![0], coded(name), coded(value)].concat()
}

/// A literal field that enters the dynamic table (section 6.2.1).
pub(crate) fn indexed_literal(name: &[u8], value: &[u8]) -> Vec<u8> {
    [&[0x40][..], &string(name, 0), &string(value, 0)].concat()
}

/// A field of a table by its number (section 6.1).
pub(crate) fn indexed(number: usize) -> Vec<u8> {
    integer(number, 7, 0x80)
}

/// A string with its length before it; `coded` is 0x80 for Huffman code.
pub(crate) fn string(bytes: &[u8], coded: u8) -> Vec<u8> {
    [integer(bytes.len(), 7, coded), bytes.to_vec()].concat()
}

/// An integer with a prefix of `bits`, below the bits of `flags` (section 5.1).
fn integer(mut value: usize, bits: u32, flags: u8) -> Vec<u8> {
    let most = (1 << bits) - 1;
    let byte = |value: usize| u8::try_from(value).expect("below 256");
    if value < most {
        return vec![flags | byte(value)];
    }
    let mut bytes = vec![flags | byte(most)];
    value -= most;
    while value >= 128 {
        bytes.push(byte(value % 128) | 0x80);
        value /= 128;
    }
    bytes.push(byte(value));
    bytes
}

/// What a receiver remembers between the blocks of one connection.
#[derive(Default)]
pub(crate) struct Decoder {
    table: VecDeque<Field>,
    most: Option<usize>,
}

impl Decoder {
    /// The fields of one block; `None` when it is broken.
    pub(crate) fn decode(&mut self, mut block: &[u8]) -> Option<Vec<Field>> {
        let mut fields = Vec::new();
        while let Some(&first) = block.first() {
            let (field, enters) = match first {
                0x80.. => (self.numbered(read_integer(&mut block, 7)?)?, false),
                0x40..=0x7f => (self.literal(&mut block, 6)?, true),
                0x20..=0x3f => {
                    self.most = Some(read_integer(&mut block, 5)?);
                    self.evict();
                    continue;
                }
                _ => (self.literal(&mut block, 4)?, false),
            };
            if enters {
                self.table.push_front(field.clone());
                self.evict();
            }
            fields.push(field);
        }
        Some(fields)
    }

    fn literal(&self, block: &mut &[u8], bits: u32) -> Option<Field> {
        let name = match read_integer(block, bits)? {
            0 => read_string(block)?,
            number => self.numbered(number)?.0,
        };
        Some((name, read_string(block)?))
    }

    fn numbered(&self, number: usize) -> Option<Field> {
        let number = number.checked_sub(1)?;
        if let Some((name, value)) = STATIC.get(number) {
            return Some((name.as_bytes().to_vec(), value.as_bytes().to_vec()));
        }
        self.table.get(number - STATIC.len()).cloned()
    }

    fn evict(&mut self) {
        let size =
            |table: &VecDeque<Field>| -> usize { table.iter().map(|(n, v)| n.len() + v.len() + 32).sum() };
        while size(&self.table) > self.most.unwrap_or(4096) {
            self.table.pop_back();
        }
    }
}

fn read_integer(block: &mut &[u8], bits: u32) -> Option<usize> {
    let most = (1_usize << bits) - 1;
    let mut value = usize::from(take(block)?) & most;
    if value < most {
        return Some(value);
    }
    for shift in (0..28).step_by(7) {
        let byte = take(block)?;
        value += usize::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

fn read_string(block: &mut &[u8]) -> Option<Vec<u8>> {
    let coded = *block.first()? >= 0x80;
    let length = read_integer(block, 7)?;
    let (text, rest) = block.split_at_checked(length)?;
    *block = rest;
    Some(if coded {
        huffman::decode(text)
    } else {
        text.to_vec()
    })
}

fn take(block: &mut &[u8]) -> Option<u8> {
    let (first, rest) = block.split_first()?;
    *block = rest;
    Some(*first)
}

/// RFC 7541 appendix A.
const STATIC: [(&str, &str); 61] = [
    (":authority", ""),
    (":method", "GET"),
    (":method", "POST"),
    (":path", "/"),
    (":path", "/index.html"),
    (":scheme", "http"),
    (":scheme", "https"),
    (":status", "200"),
    (":status", "204"),
    (":status", "206"),
    (":status", "304"),
    (":status", "400"),
    (":status", "404"),
    (":status", "500"),
    ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"),
    ("accept-language", ""),
    ("accept-ranges", ""),
    ("accept", ""),
    ("access-control-allow-origin", ""),
    ("age", ""),
    ("allow", ""),
    ("authorization", ""),
    ("cache-control", ""),
    ("content-disposition", ""),
    ("content-encoding", ""),
    ("content-language", ""),
    ("content-length", ""),
    ("content-location", ""),
    ("content-range", ""),
    ("content-type", ""),
    ("cookie", ""),
    ("date", ""),
    ("etag", ""),
    ("expect", ""),
    ("expires", ""),
    ("from", ""),
    ("host", ""),
    ("if-match", ""),
    ("if-modified-since", ""),
    ("if-none-match", ""),
    ("if-range", ""),
    ("if-unmodified-since", ""),
    ("last-modified", ""),
    ("link", ""),
    ("location", ""),
    ("max-forwards", ""),
    ("proxy-authenticate", ""),
    ("proxy-authorization", ""),
    ("range", ""),
    ("referer", ""),
    ("refresh", ""),
    ("retry-after", ""),
    ("server", ""),
    ("set-cookie", ""),
    ("strict-transport-security", ""),
    ("transfer-encoding", ""),
    ("user-agent", ""),
    ("vary", ""),
    ("via", ""),
    ("www-authenticate", ""),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn field(name: &str, value: &str) -> Field {
        (name.as_bytes().to_vec(), value.as_bytes().to_vec())
    }

    #[test]
    fn what_is_written_is_read_whatever_bytes_it_has() {
        let odd = field("x-a\r\nb", "c\0d");
        let long = field("x-long", &"v".repeat(5000));
        let block = [
            literal(&odd.0, &odd.1),
            literal_huffman(&odd.0, &odd.1),
            indexed_literal(&odd.0, &odd.1),
            indexed(62),
            indexed(2),
            literal(&long.0, &long.1),
        ]
        .concat();
        let read = Decoder::default().decode(&block).expect("whole");
        assert_eq!(
            read,
            [
                odd.clone(),
                odd.clone(),
                odd.clone(),
                odd,
                field(":method", "GET"),
                long
            ]
        );
    }

    #[test]
    fn requests_of_the_rfc_share_a_table() {
        // RFC 7541 appendix C.4.1 and C.4.2.
        let mut decoder = Decoder::default();
        let first = b"\x82\x86\x84\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff";
        let second = b"\x82\x86\x84\xbe\x58\x86\xa8\xeb\x10\x64\x9c\xbf";
        assert_eq!(
            decoder.decode(first).expect("whole")[3],
            field(":authority", "www.example.com")
        );
        let read = decoder.decode(second).expect("whole");
        assert_eq!(read[3], field(":authority", "www.example.com"));
        assert_eq!(read[4], field("cache-control", "no-cache"));
    }

    #[test]
    fn a_broken_block_is_no_fields() {
        for broken in [&b"\xff\xff\xff\xff\xff\xff"[..], b"\x00\x05ab", b"\xfe", b"\x80"] {
            assert_eq!(Decoder::default().decode(broken), None, "{broken:?}");
        }
    }
}
