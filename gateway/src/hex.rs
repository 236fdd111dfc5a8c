//! Bytes as lower-case hexadecimal digits. Knows nothing of what they name.

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Two digits a byte.
pub fn encode(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| digits(*byte)).map(char::from).collect()
}

/// Two digits a byte into `out`, as many as both have room for.
pub fn write(bytes: &[u8], out: &mut [u8]) {
    for (pair, byte) in out.chunks_exact_mut(2).zip(bytes) {
        pair.copy_from_slice(&digits(*byte));
    }
}

/// The bytes of an even number of digits, small or capital; nothing for any other text.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let nibble = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let (pairs, rest) = text.as_bytes().as_chunks();
    let bytes = pairs.iter().map(|[high, low]| Some(nibble(*high)? << 4 | nibble(*low)?));
    if rest.is_empty() { bytes.collect() } else { None }
}

fn digits(byte: u8) -> [u8; 2] {
    [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 0x0f)]]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_two_digits() {
        assert_eq!(encode(&[0x00, 0x0f, 0xa9, 0xff]), "000fa9ff");
        let mut out = [0; 4];
        write(&[0x0f, 0xa9], &mut out);
        assert_eq!(&out, b"0fa9");
    }

    #[test]
    fn digits_are_read_back_and_nothing_else_is() {
        assert_eq!(decode("000fA9ff"), Some(vec![0x00, 0x0f, 0xa9, 0xff]));
        assert_eq!(decode(""), Some(Vec::new()));
        for text in ["0", "0g", "+1", "0x00", "é0"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
