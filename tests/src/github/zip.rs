//! A zip file of one stored file: as GitHub sends logs and artifacts.

/// The bytes of a zip file that holds `content` as `name`.
pub(super) fn of(name: &str, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).expect("a small file");
    let name_length = u16::try_from(name.len()).expect("a short name");
    let mut middle = Vec::new(); // what both headers say
    middle.extend([20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0]); // version, flags, stored, time, date
    middle.extend(crc32(content).to_le_bytes());
    middle.extend(length.to_le_bytes());
    middle.extend(length.to_le_bytes());
    middle.extend(name_length.to_le_bytes());
    middle.extend([0, 0]);
    let local = [b"PK\x03\x04", middle.as_slice(), name.as_bytes(), content].concat();
    let central = [
        b"PK\x01\x02\x14\x00",
        middle.as_slice(),
        &[0; 14],
        name.as_bytes(),
    ]
    .concat();
    let mut end = b"PK\x05\x06\0\0\0\0\x01\0\x01\0".to_vec();
    for number in [central.len(), local.len()] {
        end.extend(u32::try_from(number).expect("a small file").to_le_bytes());
    }
    end.extend([0, 0]);
    [local, central, end].concat()
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc: u32, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    })
}
