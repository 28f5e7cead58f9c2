//! The files that an instance is made of.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::builder::{Builder, Ours};
use super::calendar;
use super::config;
use super::instance::{Instance, MODULE};
use super::paths;
use super::root::root;

impl Instance {
    /// Writes every file of the instance.
    pub(super) fn lay_out(&self, builder: &Builder) {
        for name in ["etc", "modules", "lib", "cache", "spool", "run", "log"] {
            fs::create_dir(self.dir.join(name)).expect("a directory below our own");
        }
        self.link_data();
        let mut modules: Vec<&str> = builder.modules.iter().map(String::as_str).collect();
        for name in &modules {
            self.provide_module(name);
        }
        if builder.ours != Ours::None {
            let file = paths::module(builder.ours == Ours::Selftest);
            self.install_module(&file);
            if builder.load_ours {
                modules.push("res_userpresence");
            }
        }

        self.write_config("asterisk.conf", &config::asterisk(&self.dir));
        self.write_config("modules.conf", &config::modules(modules.into_iter()));
        self.write_config("logger.conf", config::logger());
        self.write_config("manager.conf", &config::manager(self.ports, builder));
        self.write_config("http.conf", &config::http(self.ports, builder));
        self.write_config("ari.conf", &config::ari());
        self.write_config("extensions.conf", &config::extensions(builder));
        self.write_config("queues.conf", &format!("[general]\n{}", builder.queues));
        self.write_config("calendar.conf", &calendar::config(self.ports, builder));
        for name in &builder.calendars {
            calendar::write(&self.dir.join("data"), name, None);
        }
        self.write_config("pjsip.conf", &config::pjsip(self.ports, builder));
        if let Some((families, sql)) = &builder.realtime {
            self.write_realtime(families, sql);
        }
        for (name, text) in config::QUIET {
            self.write_config(name, text);
        }
        for (name, text) in &builder.files {
            self.write_config(name, text);
        }
    }

    /// Makes a data directory with links into the root, so that documentation can be added
    /// without touching the root.
    fn link_data(&self) {
        let (data, ours) = (root().data(), self.dir.join("data"));
        let thirdparty = ours.join("documentation/thirdparty");
        fs::create_dir_all(ours.join("static-http")).expect("a directory below our own");
        fs::create_dir_all(&thirdparty).expect("a directory below our own");
        // ARI serves no links that lead out of this folder.
        fs::create_dir_all(ours.join("rest-api")).expect("a directory below our own");
        for entry in fs::read_dir(data.join("rest-api")).into_iter().flatten() {
            let entry = entry.expect("a readable directory");
            let to = ours.join("rest-api").join(entry.file_name());
            fs::copy(entry.path(), to).expect("a copy");
        }
        for folder in ["", "documentation"] {
            for entry in fs::read_dir(data.join(folder)).expect("the root is complete") {
                let entry = entry.expect("a readable directory");
                let link = ours.join(folder).join(entry.file_name());
                if !link.exists() {
                    symlink(entry.path(), link).expect("a link below our own");
                }
            }
        }
        let description = "rest-api/userPresence.json";
        let from = paths::repository().join("doc").join(description);
        fs::copy(from, ours.join(description)).expect("a copy");
        let doc = paths::repository().join("doc");
        for entry in fs::read_dir(doc).into_iter().flatten().flatten() {
            if entry.path().extension().is_some_and(|kind| kind == "xml") {
                fs::copy(entry.path(), thirdparty.join(entry.file_name())).expect("a copy");
            }
        }
    }

    fn write_realtime(&self, families: &[String], sql: &str) {
        let file = self.realtime_file();
        let mut map = "[settings]\n".to_owned();
        for family in families {
            map.push_str(&format!("{family} => sqlite3,harness\n"));
        }
        self.write_config("extconfig.conf", &map);
        // No batches: an open one locks out every other writer.
        let text = format!(
            "[harness]\ndbfile => {}\nbatch = 0\nbusy_timeout = 30000\n",
            file.display()
        );
        self.write_config("res_config_sqlite3.conf", &text);
        self.realtime_sql(sql);
    }

    /// Copies one of Asterisk's modules. AMI's `ModuleLoad` refuses a link that leads out of
    /// the module directory.
    pub(super) fn provide_module(&self, name: &str) {
        let file = format!("{name}.so");
        let from = root().module(name);
        if let Err(error) = fs::copy(&from, self.path("modules").join(&file)) {
            panic!("{}: {error}", from.display());
        }
    }

    /// Installs a build of the module for the next load.
    pub fn install_module(&self, file: &Path) {
        // Never writes into a file that Asterisk may have mapped.
        let to = self.path("modules").join(MODULE);
        let _ = fs::remove_file(&to);
        fs::copy(file, to).expect("a copy of our module");
    }

    /// Installs this content as the module's file.
    pub fn install_module_bytes(&self, bytes: &[u8]) {
        let to = self.path("modules").join(MODULE);
        let _ = fs::remove_file(&to);
        fs::write(to, bytes).expect("our own directory");
    }

    /// The text of a configuration file.
    #[track_caller]
    pub fn read_config(&self, name: &str) -> String {
        fs::read_to_string(self.config_path(name)).expect("a file of the instance")
    }

    /// Writes a file in the configuration directory.
    #[track_caller]
    pub fn write_config(&self, name: &str, text: &str) {
        let path = self.config_path(name);
        if let Err(error) = fs::write(&path, text) {
            panic!("{}: {error}", path.display());
        }
    }

    /// The path of a file in the configuration directory.
    pub fn config_path(&self, name: &str) -> PathBuf {
        self.dir.join("etc").join(name)
    }
}
