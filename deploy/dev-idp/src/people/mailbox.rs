//! The mailbox of a world without e-mail: messages are kept for the page `/mailbox` instead of being sent. Knows
//! nothing of why they are written.

use std::sync::Mutex;

use super::lock;

/// How many messages are kept.
const KEPT: usize = 200;

/// One message.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) to: String,
    pub(crate) subject: &'static str,
    pub(crate) code: String,
    pub(crate) at: i64,
}

/// All messages, oldest first.
#[derive(Default)]
pub(crate) struct Mailbox(Mutex<Vec<Message>>);

impl Mailbox {
    pub(crate) fn put(&self, message: Message) {
        let mut messages = lock(&self.0);
        if messages.len() >= KEPT {
            messages.remove(0);
        }
        messages.push(message);
    }

    /// Newest first.
    pub(crate) fn messages(&self) -> Vec<Message> {
        lock(&self.0).iter().rev().cloned().collect()
    }

    /// The newest passcode sent to an address.
    pub(crate) fn code(&self, email: &str) -> Option<String> {
        lock(&self.0).iter().rev().find(|message| message.to == email).map(|message| message.code.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_code_counts_and_the_mailbox_is_bounded() {
        let mailbox = Mailbox::default();
        for n in 0..=KEPT {
            let code = n.to_string();
            mailbox.put(Message { to: "zoe@example.com".to_owned(), subject: "x", code, at: 0 });
        }
        assert_eq!(mailbox.code("zoe@example.com"), Some(KEPT.to_string()));
        assert_eq!(mailbox.code("bob@example.com"), None);
        assert_eq!(mailbox.messages().len(), KEPT);
    }
}
