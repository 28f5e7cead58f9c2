//! Reading and changing an instance through the interfaces of an administrator.

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

    /// The output of `asterisk -rx COMMAND`, as in an administrator's shell.
    #[track_caller]
    pub fn remote(&self, command: &str) -> String {
        let output = self.asterisk().args(["-rx", command]).output();
        let output = output.expect("asterisk -rx");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// The text of a shell script that runs Asterisk's program as this instance does, with the
    /// script's own arguments after that.
    pub fn program_script(&self) -> String {
        let command = self.asterisk();
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        let words = words.map(|word| format!("'{}'", word.to_string_lossy()));
        let words: Vec<String> = words.collect();
        format!("#!/bin/sh\nexec {} \"$@\"\n", words.join(" "))
    }

    /// The CLI's completions of the last, unfinished word of `line`.
    #[track_caller]
    pub fn complete(&self, line: &str) -> Vec<String> {
        let word = line.rsplit(' ').next().unwrap_or_default();
        let shown = self.remote(&format!("_command matchesarray \"{line}\" \"{word}\""));
        // The answer is their common beginning, each completion, and an end mark.
        let words = shown.trim_end().split(' ').skip(1).map(str::to_owned);
        words.filter(|word| word != "_EOF_").collect()
    }

    /// The value of a function or global variable, for example
    /// `USER_PRESENCE(alice)`.
    ///
    /// Empty for a function that fails, is refused or does not exist: AMI ignores the
    /// result of a function, and only the log has the complaint. At most 1023 bytes; use
    /// [`Instance::evaluate`] for more.
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

    /// Sets a function or global variable. Panics if Asterisk refuses.
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

    /// Reloads the module. The response says whether that worked.
    #[track_caller]
    pub fn reload(&self) -> Message {
        self.module_action("reload", MODULE)
    }

    /// Loads a module: this one or one of Asterisk's.
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
        // An action keeps its module in use for a moment after its answer.
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
