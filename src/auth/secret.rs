//! Secrets: the texts of API keys, and the digests under which they are stored.
//!
//! A secret is `ls_`, 43 characters that encode 256 random bits, and 6 characters that encode their checksum,
//! all of them letters and digits: `ls_[0-9A-Za-z]{49}`. A scanner for leaked secrets finds it by that
//! expression. The checksum distinguishes a typing error from an unknown key.

use std::fmt;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Start of every secret.
pub const PREFIX: &str = "ls_";

/// Number of characters that encode the random bits: 62^43 is just above 2^256.
const RANDOM_CHARS: usize = 43;

/// Number of characters that encode the checksum, a CRC-32.
const CHECKSUM_CHARS: usize = 6;

/// Number of characters of a secret.
pub const SECRET_CHARS: usize = PREFIX.len() + RANDOM_CHARS + CHECKSUM_CHARS;

/// Digits of the encoding, by value.
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The text of an API key. It is shown once, when the key is created, and never by `Debug`.
#[derive(Clone)]
pub struct KeySecret(String);

/// Error for a text that is not the secret of a key. It does not repeat the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSecret {
    /// The text does not have the form of a secret.
    #[error("a key is ls_ with 49 letters and digits")]
    Malformed,
    /// The text has the form of a secret, and its checksum is wrong: a character is missing or wrong.
    #[error("the key is damaged: its checksum is wrong; copy it again")]
    Damaged,
}

impl KeySecret {
    /// Returns the secret with these random bits.
    pub fn from_random(bits: [u8; 32]) -> Self {
        let mut text = PREFIX.to_owned();
        push_base62(&mut text, &bits, RANDOM_CHARS);
        let checksum = crc32fast::hash(text.as_bytes());
        push_base62(&mut text, &checksum.to_be_bytes(), CHECKSUM_CHARS);
        Self(text)
    }

    /// Parses a secret.
    ///
    /// # Errors
    /// Returns [`InvalidSecret`] if the text is not a secret, or its checksum is wrong.
    pub fn parse(text: &str) -> Result<Self, InvalidSecret> {
        check(text)?;
        Ok(Self(text.to_owned()))
    }

    /// Returns the text of the secret. Send or print it only to the user of the key.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Returns the digest under which the key is stored.
    pub fn digest(&self) -> KeyDigest {
        KeyDigest::of(&self.0)
    }
}

impl fmt::Debug for KeySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeySecret(..)")
    }
}

/// Checks the form and the checksum of a secret.
fn check(text: &str) -> Result<(), InvalidSecret> {
    let is_secret = text.len() == SECRET_CHARS
        && text.starts_with(PREFIX)
        && text[PREFIX.len()..].bytes().all(|letter| letter.is_ascii_alphanumeric());
    if !is_secret {
        // A secret that lost or gained a character is damaged. All other texts are something else.
        let is_like_one = text.starts_with(PREFIX) && text.len().abs_diff(SECRET_CHARS) <= 2;
        return Err(if is_like_one { InvalidSecret::Damaged } else { InvalidSecret::Malformed });
    }
    let (random, checksum) = text.split_at(SECRET_CHARS - CHECKSUM_CHARS);
    let mut expected = String::with_capacity(CHECKSUM_CHARS);
    push_base62(&mut expected, &crc32fast::hash(random.as_bytes()).to_be_bytes(), CHECKSUM_CHARS);
    if expected == checksum { Ok(()) } else { Err(InvalidSecret::Damaged) }
}

/// Appends a number in base 62 with a fixed number of digits. `number` has its most significant byte first.
fn push_base62(text: &mut String, number: &[u8], digits: usize) {
    let mut number = number.to_vec();
    let mut reversed = Vec::with_capacity(digits);
    for _ in 0..digits {
        // Long division by 62; the rest is the next digit.
        let mut rest = 0_u32;
        for byte in &mut number {
            let value = rest << 8 | u32::from(*byte);
            // The quotient is below 256, because the rest is below 62.
            *byte = (value / 62) as u8;
            rest = value % 62;
        }
        reversed.push(char::from(DIGITS[rest as usize]));
    }
    text.extend(reversed.iter().rev());
}

/// SHA-256 of a secret. A secret has 256 random bits, so nobody can guess it from its digest, and a slow hash
/// as for passwords would add nothing.
#[derive(Debug, Clone, Copy)]
pub struct KeyDigest([u8; 32]);

impl KeyDigest {
    /// Returns a stored digest.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the digest of a text, which may not be a secret. If no key has it, [`KeySecret::parse`] says
    /// why.
    pub fn of(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }

    /// Returns the bytes of the digest.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Returns the first half, by which a key is looked up. The whole digest is compared after that.
    pub fn lookup_half(&self) -> [u8; 16] {
        let mut half = [0; 16];
        half.copy_from_slice(&self.0[..16]);
        half
    }
}

/// Compares all bytes, so that the time does not depend on where two digests differ.
impl PartialEq for KeyDigest {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for KeyDigest {}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> Option<InvalidSecret> {
        KeySecret::parse(text).err()
    }

    #[test]
    fn a_secret_has_a_prefix_256_bits_and_a_checksum() {
        for bits in [[0; 32], [255; 32], std::array::from_fn(|index| index as u8)] {
            let secret = KeySecret::from_random(bits);
            let text = secret.reveal();
            assert_eq!(text.len(), 52, "{text}");
            assert!(
                text.starts_with("ls_") && text[3..].bytes().all(|b| b.is_ascii_alphanumeric())
            );
            assert_eq!(KeySecret::parse(text).unwrap().reveal(), text);
            assert_eq!(KeyDigest::of(text), secret.digest());
        }
        // The largest number needs all digits, so no two numbers have the same text.
        let largest = KeySecret::from_random([255; 32]);
        assert!(largest.reveal()[3..] > KeySecret::from_random([254; 32]).reveal()[3..]);
        assert_ne!(&largest.reveal()[3..4], "0");
    }

    #[test]
    fn a_damaged_secret_is_told_from_other_texts() {
        let secret = KeySecret::from_random([7; 32]);
        let text = secret.reveal();
        for at in 3..text.len() {
            let mut damaged = text.as_bytes().to_vec();
            damaged[at] = if damaged[at] == b'x' { b'y' } else { b'x' };
            let damaged = String::from_utf8(damaged).unwrap();
            assert_eq!(error(&damaged), Some(InvalidSecret::Damaged), "{at}");
        }
        for damaged in [&text[..51], &format!("{text}0"), &text.replace(&text[9..10], "-")] {
            assert_eq!(error(damaged), Some(InvalidSecret::Damaged), "{damaged}");
        }
        for other in
            ["", "ls_", "x", "LS_", &text[3..], &text[..30], "sk-0000000000000000000000000000"]
        {
            assert_eq!(error(other), Some(InvalidSecret::Malformed), "{other}");
        }
        let not_ascii = format!("ls_{}é", &text[..47]);
        assert_eq!((not_ascii.len(), error(&not_ascii)), (52, Some(InvalidSecret::Damaged)));
    }

    #[test]
    fn neither_debug_output_nor_errors_show_a_secret() {
        let secret = KeySecret::from_random([7; 32]);
        assert_eq!(format!("{secret:?}"), "KeySecret(..)");
        assert!(!InvalidSecret::Damaged.to_string().contains(&secret.reveal()[3..]));
    }

    #[test]
    fn digests_are_compared_as_a_whole() {
        let digest = KeySecret::from_random([7; 32]).digest();
        let mut other = *digest.as_bytes();
        other[31] ^= 1;
        assert_ne!(KeyDigest::from_bytes(other), digest);
        assert_eq!(KeyDigest::from_bytes(*digest.as_bytes()), digest);
        assert_eq!(KeyDigest::from_bytes(other).lookup_half(), digest.lookup_half());
    }
}
