//! A call that is forwarded to an extension or to voicemail.

use super::call::{DialCall, DialOutcome};
use super::{DIALSTATUS, STATUS, busy};
use asterisk::application::{DialplanNext, RedirectingReason};
use asterisk::{log, system};
use presence::calls::Destination;
use presence::model::mailbox;
use presence::model::own_settings::Greeting;

impl DialCall<'_> {
    /// Forwards the call.
    pub fn forward(&self, target: &Destination, reason: RedirectingReason) -> DialplanNext {
        let (channel, plan) = (self.channel, &self.plan);
        if channel.hung_up() {
            channel.set(DIALSTATUS, "CANCEL");
            channel.set(STATUS, "CANCELLED");
            return DialplanNext::HangUp;
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
                    return DialplanNext::Continue;
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
                        DialplanNext::Continue
                    }
                    _ => DialplanNext::Continue,
                }
            }
            Destination::Voicemail { mailbox } => self.voicemail(mailbox, reason),
        }
    }

    /// Plays a recording of the user's own mailbox to the caller. Returns whether it is there:
    /// in another mailbox the name would mean a recording of its owner.
    fn plays(&self, of: &str, name: &str) -> bool {
        if *mailbox::whole(of) != *mailbox::whole(&self.plan.mailbox) {
            return false;
        }
        let whole = mailbox::whole(of);
        let Some((number, context)) = whole.split_once('@') else {
            return false;
        };
        let file = system::voicemail_directory()
            .join(context)
            .join(number)
            .join(name);
        // `Playback` would take such a path for several files or for options.
        let Some(file) = file.to_str().filter(|file| !file.contains(['&', ','])) else {
            return false;
        };
        let played = self.channel.run(c"Playback", file);
        let there = self.channel.get("PLAYBACKSTATUS").as_deref() == Some("SUCCESS");
        if !there && !self.channel.hung_up() {
            let why = match played {
                Ok(_) => format!("there is no recording '{name}'"),
                Err(why) => why.to_string(),
            };
            log::warning(format_args!(
                "The own greeting of '{}' is not played: {why}; the usual one follows",
                self.plan.user
            ));
        }
        there
    }

    fn voicemail(&self, mailbox: &str, reason: RedirectingReason) -> DialplanNext {
        let (channel, plan) = (self.channel, &self.plan);
        if mailbox.is_empty() {
            self.warn(&"the user has no mailbox");
            busy(channel, "WRONGTARGET");
            return DialplanNext::Continue;
        }
        channel.redirect(&self.called.number, reason);
        channel.set(STATUS, "VOICEMAIL");
        let greeting = match (&plan.greeting, reason) {
            (Some(Greeting::Recording(name)), _) if self.plays(mailbox, name) => 's',
            (Some(Greeting::Busy), _) => 'b',
            (Some(Greeting::Unavailable), _) => 'u',
            (_, RedirectingReason::Busy) => 'b',
            _ => 'u',
        };
        if channel.hung_up() {
            return DialplanNext::HangUp;
        }
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
            return DialplanNext::Continue;
        }
        result.unwrap_or(DialplanNext::Continue)
    }
}
