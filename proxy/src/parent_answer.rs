//! What a parent proxy answers to CONNECT: a head, untrusted like all that comes from outside, and nothing of it but its status
//! is obeyed. Fields and a length beside a success have no meaning (RFC 9110 section 9.3.6): what follows is the origin's.

use thiserror::Error;

/// The answer to a CONNECT request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParentAnswer {
    /// From 100 to 999.
    pub status: u16,
    /// What it says in words: printable ASCII, cut to 80 characters.
    pub reason: String,
    /// How many bytes the head has; what follows is no part of it.
    pub length: usize,
}

/// Why an answer cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AnswerError {
    /// No head of HTTP.
    #[error("it is no HTTP: {0}")]
    Malformed(httparse::Error),
    /// More than a head may have.
    #[error("its head is longer than {LONGEST} bytes")]
    TooLong,
    /// The connection ended within it.
    #[error("it ends within its head")]
    Ended,
}

/// The bytes that a head may have, interim ones before it included.
pub const LONGEST: usize = 16 * 1024;
const FIELDS: usize = 64;
const LONGEST_REASON: usize = 80;

impl ParentAnswer {
    /// The answer at the start of `bytes`; none while it is not complete.
    pub fn parse(bytes: &[u8]) -> Result<Option<Self>, AnswerError> {
        let mut fields = [httparse::EMPTY_HEADER; FIELDS];
        let mut response = httparse::Response::new(&mut fields);
        let length = match response.parse(bytes).map_err(AnswerError::Malformed)? {
            httparse::Status::Complete(length) => length,
            httparse::Status::Partial if bytes.len() >= LONGEST => return Err(AnswerError::TooLong),
            httparse::Status::Partial => return Ok(None),
        };
        if length > LONGEST {
            return Err(AnswerError::TooLong);
        }
        let status = response.code.filter(|status| *status >= 100);
        Ok(Some(Self {
            status: status.ok_or(AnswerError::Malformed(httparse::Error::Status))?,
            reason: printable(response.reason.unwrap_or_default()),
            length,
        }))
    }

    /// Whether another answer follows it.
    pub fn is_interim(&self) -> bool {
        (100..200).contains(&self.status) && self.status != 101
    }
}

/// It goes into errors, records and terminals.
fn printable(text: &str) -> String {
    let plain = |c: char| if c == ' ' || c.is_ascii_graphic() { c } else { '?' };
    text.chars().take(LONGEST_REASON).map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Option<(u16, String, usize)>, AnswerError> {
        let answer = ParentAnswer::parse(text.as_bytes())?;
        Ok(answer.map(|answer| (answer.status, answer.reason, answer.length)))
    }

    #[test]
    fn an_answer_ends_where_its_head_does_and_says_no_more_than_its_status() {
        let head = "HTTP/1.0 200 Connection established\r\nContent-Length: 5\r\n\r\n";
        let expected = Some((200, "Connection established".to_owned(), head.len()));
        assert_eq!(parsed(&format!("{head}220 hello")), Ok(expected));
        for end in 0..head.len() {
            assert_eq!(parsed(&head[..end]), Ok(None), "{end}");
        }
    }

    #[test]
    fn what_is_no_answer_is_an_error_and_so_is_one_without_an_end() {
        assert!(matches!(
            parsed("SSH-2.0-OpenSSH\r\n"),
            Err(AnswerError::Malformed(_))
        ));
        assert!(matches!(
            parsed("HTTP/1.1 099 x\r\n\r\n"),
            Err(AnswerError::Malformed(_))
        ));
        let endless = format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(LONGEST));
        assert_eq!(parsed(&endless), Err(AnswerError::TooLong));
        assert_eq!(parsed(&format!("{endless}\r\n\r\n")), Err(AnswerError::TooLong));
        let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(FIELDS + 1));
        assert!(matches!(parsed(&many), Err(AnswerError::Malformed(_))));
    }

    #[test]
    fn what_it_says_in_words_is_plain_and_short() {
        let (_, reason, _) = parsed(&format!("HTTP/1.1 403 {}\r\n\r\n", "a\t".repeat(100)))
            .expect("it is an answer")
            .expect("it is complete");
        assert_eq!(reason.len(), LONGEST_REASON);
        assert!(!reason.contains('\t'), "{reason}");
    }

    #[test]
    fn an_interim_answer_is_followed_by_another_and_a_switch_is_none() {
        let is_interim = |status: u16| {
            let answer = ParentAnswer::parse(format!("HTTP/1.1 {status} x\r\n\r\n").as_bytes());
            answer.expect("it is one").expect("it is complete").is_interim()
        };
        assert!(is_interim(100) && is_interim(103));
        assert!(!is_interim(101) && !is_interim(200) && !is_interim(407));
    }
}
