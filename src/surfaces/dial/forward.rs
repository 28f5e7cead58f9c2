//! A call that is forwarded to an extension or to voicemail.

use super::call::{DialCall, DialOutcome};
use super::{DIALSTATUS, STATUS, busy};
use asterisk::application::{Next, Reason};
use asterisk::log;
use presence::calls::Destination;

impl DialCall<'_> {
    /// Forwards the call.
    pub fn forward(&self, target: &Destination, reason: Reason) -> Next {
        let (channel, plan) = (self.channel, &self.plan);
        if channel.hung_up() {
            channel.set(DIALSTATUS, "CANCEL");
            channel.set(STATUS, "CANCELLED");
            return Next::HangUp;
        }
        match target {
            Destination::Extension {
                extension, context, ..
            } => {
                let location = format!("{extension}@{context}");
                let unfit = |text: &str| text.is_empty() || text.contains(['&', ',', '@', '/']);
                if unfit(extension) || unfit(context) || !channel.has_extension(extension, context)
                {
                    self.warn(&format_args!("there is no extension '{location}'"));
                    busy(channel, "WRONGTARGET");
                    return Next::Continue;
                }
                log::verbose(
                    3,
                    format_args!(
                        "{}: the call to '{}' is forwarded to '{location}'",
                        channel.name(),
                        plan.user
                    ),
                );
                channel.redirect(&self.called.number, reason);
                channel.set(STATUS, "FORWARDED");
                let outcome = self.dial(&format!("Local/{location}/n"), None, "FORWARDED");
                match outcome {
                    DialOutcome::Over(next) => next,
                    // `Dial` has set DIALSTATUS.
                    DialOutcome::Busy => {
                        busy(channel, "FORWARDED");
                        Next::Continue
                    }
                    _ => Next::Continue,
                }
            }
            Destination::Voicemail { mailbox } => self.voicemail(mailbox, reason),
        }
    }

    fn voicemail(&self, mailbox: &str, reason: Reason) -> Next {
        let channel = self.channel;
        if mailbox.is_empty() {
            self.warn(&"the user has no mailbox");
            busy(channel, "WRONGTARGET");
            return Next::Continue;
        }
        channel.redirect(&self.called.number, reason);
        channel.set(STATUS, "VOICEMAIL");
        let greeting = match reason {
            Reason::Busy => 'b',
            _ => 'u',
        };
        let result = channel.run(c"VoiceMail", &format!("{mailbox},{greeting}"));
        // The mailbox may not exist any more: the caller must not hear silence.
        let failed = match &result {
            Ok(_) => channel.get("VMSTATUS").as_deref() == Some("FAILED"),
            Err(_) => true,
        };
        if failed && !channel.hung_up() {
            match &result {
                Err(why) => self.warn(why),
                Ok(_) => self.warn(&format_args!("mailbox '{mailbox}' accepts no message")),
            }
            busy(channel, "WRONGTARGET");
            return Next::Continue;
        }
        result.unwrap_or(Next::Continue)
    }
}
