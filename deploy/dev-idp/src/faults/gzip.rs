//! A gzip bomb: megabytes of spaces in a few kilobytes. Knows only as much of DEFLATE (RFC 1951) as one repeated byte
//! needs: fixed Huffman codes, one literal, then matches of length 258 at distance 1.

use std::sync::OnceLock;

/// How many bytes it unpacks to.
pub(super) const UNPACKED: usize = 64 * 1024 * 1024;

/// The whole gzip file, made once.
pub(super) fn bomb() -> &'static [u8] {
    static FILE: OnceLock<Vec<u8>> = OnceLock::new();
    FILE.get_or_init(build)
}

fn build() -> Vec<u8> {
    let matches = (UNPACKED - 1) / 258;
    let length = 1 + matches * 258;
    let mut bits = Bits::default();
    bits.low_first(0b1, 1); // the last block
    bits.low_first(0b01, 2); // fixed Huffman codes
    bits.high_first(0x30 + u32::from(b' '), 8);
    for _ in 0..matches {
        bits.high_first(0b1100_0101, 8); // symbol 285: length 258
        bits.high_first(0, 5); // distance 1
    }
    bits.high_first(0, 7); // end of block
    let mut file = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    file.extend(bits.finish());
    file.extend(crc_of_spaces(length).to_le_bytes());
    file.extend(u32::try_from(length).expect("64 MiB fit 32 bits").to_le_bytes());
    file
}

#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    used: u32,
}

impl Bits {
    fn bit(&mut self, bit: u32) {
        if self.used == 0 {
            self.bytes.push(0);
        }
        if bit == 1
            && let Some(last) = self.bytes.last_mut()
        {
            *last |= 1 << self.used;
        }
        self.used = (self.used + 1) % 8;
    }

    fn low_first(&mut self, value: u32, count: u32) {
        for place in 0..count {
            self.bit(value >> place & 1);
        }
    }

    fn high_first(&mut self, value: u32, count: u32) {
        for place in (0..count).rev() {
            self.bit(value >> place & 1);
        }
    }

    fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

fn crc_of_spaces(length: usize) -> u32 {
    let mut table = [0_u32; 256];
    for (index, entry) in (0_u32..).zip(table.iter_mut()) {
        *entry = (0..8).fold(index, |crc, _| (crc >> 1) ^ (0xedb8_8320 * (crc & 1)));
    }
    let next = |crc: u32| table[usize::from(crc.to_le_bytes()[0] ^ b' ')] ^ (crc >> 8);
    !(0..length).fold(u32::MAX, |crc, _| next(crc))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_known_one() {
        // CRC-32 of nine spaces, from an independent implementation.
        assert_eq!(crc_of_spaces(9), 0xa2cb_0a41);
        assert_eq!(crc_of_spaces(0), 0);
    }

    #[test]
    fn the_bomb_is_small() {
        assert!(bomb().len() < UNPACKED / 100);
    }
}
