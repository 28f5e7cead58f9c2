//! Questions and orders, through the interfaces that an administrator has.

use std::time::Duration;

use super::instance::{Instance, MODULE};
use super::message::Message;
use super::wait::{poll, wait_until};

impl Instance {
    /// The output of a CLI command.
    #[track_caller]
    pub fn cli(&self, command: &str) -> String {
        self.control()
            .action(&[("Action", "Command"), ("Command", command)])
            .output()
    }

    /// The output of `asterisk -rx COMMAND`: what an administrator's shell sees.
    #[track_caller]
    pub fn remote(&self, command: &str) -> String {
        let output = self.asterisk().args(["-rx", command]).output();
        let output = output.expect("asterisk -rx");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// What the CLI offers for the last, unfinished word of `line`.
    #[track_caller]
    pub fn complete(&self, line: &str) -> Vec<String> {
        let word = line.rsplit(' ').next().unwrap_or_default();
        let shown = self.remote(&format!("_command matchesarray \"{line}\" \"{word}\""));
        // First what all of them begin with, then each, then a mark.
        let words = shown.trim_end().split(' ').skip(1).map(str::to_owned);
        words.filter(|word| word != "_EOF_").collect()
    }

    /// The value of a function or global variable, for example
    /// `USER_PRESENCE(alice)`.
    ///
    /// A function that fails, is refused or does not exist is empty here: AMI
    /// looks at no function's result. The complaint is in the log. At most 1023
    /// bytes: for more there is [`Instance::evaluate`].
    #[track_caller]
    pub fn getvar(&self, name: &str) -> String {
        let answer = self
            .control()
            .action(&[("Action", "Getvar"), ("Variable", name)]);
        match answer.get("Value") {
            Some(value) if answer.ok() => value.to_owned(),
            _ => panic!("Getvar {name}: {}", answer.text()),
        }
    }

    /// Waits until a function or global variable has this value.
    #[track_caller]
    pub fn wait_value(&self, name: &str, value: &str) {
        wait_until(&format!("{name} to be {value:?}"), || {
            (self.getvar(name) == value).then_some(())
        });
    }

    /// Sets a function or global variable. Panics where Asterisk refuses.
    #[track_caller]
    pub fn setvar(&self, name: &str, value: &str) {
        if let Err(error) = self.try_setvar(name, value) {
            panic!("Setvar {name}={value}: {error}");
        }
    }

    /// As [`Instance::setvar`], with Asterisk's message as the error.
    pub fn try_setvar(&self, name: &str, value: &str) -> Result<(), String> {
        let answer = self.control().try_action(&[
            ("Action", "Setvar"),
            ("Variable", name),
            ("Value", value),
        ])?;
        if answer.ok() {
            Ok(())
        } else {
            Err(answer.text().to_owned())
        }
    }

    /// Sets `CustomPresence:NAME` to `state[,subtype[,message[,options]]]`.
    #[track_caller]
    pub fn set_custom(&self, name: &str, value: &str) {
        self.setvar(&format!("PRESENCE_STATE(CustomPresence:{name})"), value);
    }

    /// Sets `Custom:NAME` to a device state, for example `INUSE`.
    #[track_caller]
    pub fn set_device(&self, name: &str, state: &str) {
        self.setvar(&format!("DEVICE_STATE(Custom:{name})"), state);
    }

    /// Reloads our module; the response says whether that worked.
    #[track_caller]
    pub fn reload(&self) -> Message {
        self.module_action("reload", MODULE)
    }

    /// Loads a module, ours or one of Asterisk's.
    #[track_caller]
    pub fn load_module(&self, name: &str) -> Message {
        if !self.path("modules").join(name).exists() {
            self.provide_module(name.trim_end_matches(".so"));
        }
        self.module_action("load", name)
    }

    /// Unloads a module.
    #[track_caller]
    pub fn unload_module(&self, name: &str) -> Message {
        // An action that was answered holds its module for a moment more.
        let unloaded = poll(Duration::from_secs(5), || {
            let answer = self.module_action("unload", name);
            answer.ok().then_some(answer)
        });
        unloaded.unwrap_or_else(|| self.module_action("unload", name))
    }

    pub(super) fn module_action(&self, kind: &str, name: &str) -> Message {
        self.control().action(&[
            ("Action", "ModuleLoad"),
            ("LoadType", kind),
            ("Module", name),
        ])
    }
}
