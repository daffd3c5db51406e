//! `application/x-www-form-urlencoded` text, both ways.

use crate::Error;

/// Name and value pairs in the order they were sent; `+` is a space, a name without `=` has an empty value.
///
/// # Errors
/// [`Error::MalformedQueryString`] for `%` without two hexadecimal digits and for text that is not UTF-8.
pub fn decode(text: &[u8]) -> Result<Vec<(String, String)>, Error> {
    text.split(|byte| *byte == b'&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let mut halves = pair.splitn(2, |byte| *byte == b'=');
            let name = percent_decode(halves.next().unwrap_or_default())?;
            let value = percent_decode(halves.next().unwrap_or_default())?;
            Ok((name, value))
        })
        .collect()
}

/// The text that [`decode`] reads back as the same pairs; only RFC 3986's unreserved characters stay as they are.
pub fn encode<N: AsRef<str>, V: AsRef<str>>(pairs: &[(N, V)]) -> String {
    let mut text = String::new();
    for (name, value) in pairs {
        if !text.is_empty() {
            text.push('&');
        }
        percent_encode(&mut text, name.as_ref());
        text.push('=');
        percent_encode(&mut text, value.as_ref());
    }
    text
}

fn percent_decode(text: &[u8]) -> Result<String, Error> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(&byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let (high, low) = (hex_digit(rest.next())?, hex_digit(rest.next())?);
                high << 4 | low
            }
            other => other,
        });
    }
    String::from_utf8(bytes).map_err(|_| Error::MalformedQueryString)
}

fn hex_digit(byte: Option<&u8>) -> Result<u8, Error> {
    match byte {
        Some(digit @ b'0'..=b'9') => Ok(digit - b'0'),
        Some(digit @ b'a'..=b'f') => Ok(digit - b'a' + 10),
        Some(digit @ b'A'..=b'F') => Ok(digit - b'A' + 10),
        _ => Err(Error::MalformedQueryString),
    }
}

fn percent_encode(text: &mut String, value: &str) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for &byte in value.as_bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push('%');
            text.push(char::from(DIGITS[usize::from(byte >> 4)]));
            text.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
    }
}
