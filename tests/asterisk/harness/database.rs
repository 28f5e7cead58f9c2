//! Database servers of a test's own: each in a private directory, on a loopback port, ended by
//! its process id. `tests/asterisk/databases.sh` unpacks the programs.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use super::builder::Builder;
use super::instance::private_dir;
use super::modules::sets;
use super::paths::{repository, repository_file};
use super::ports;
use super::process::Process;
use super::root::root;
use super::wait::{PATIENCE, poll, wait_until};

/// A kind of database, with the realtime driver that reads it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Engine {
    /// A file, `res_config_sqlite3`.
    Sqlite,
    /// A server, `res_config_pgsql`.
    Postgresql,
    /// A server, `res_config_odbc` and MariaDB's ODBC driver.
    Mariadb,
    /// A directory server, `res_config_ldap`.
    Ldap,
}

/// A database; dropping it ends its server and removes its directory.
pub struct Database {
    engine: Engine,
    dir: PathBuf,
    port: u16,
    server: Mutex<Option<Process>>,
}

impl Database {
    /// A database without tables, or a directory with the entries of this LDIF, which answers.
    #[track_caller]
    pub fn start(engine: Engine) -> Self {
        let database = Database {
            engine,
            dir: private_dir(),
            port: ports::free(),
            server: Mutex::new(None),
        };
        let template = match engine {
            Engine::Postgresql => Some("postgresql"),
            Engine::Mariadb => Some("mariadb"),
            Engine::Sqlite | Engine::Ldap => None,
        };
        if let Some(template) = template {
            // With its owner: PostgreSQL's data may belong to another user.
            let copied = Command::new("cp")
                .arg("-a")
                .arg(servers().join("templates").join(template))
                .arg(database.dir.join("data"))
                .status();
            assert!(copied.expect("the program cp").success());
        }
        if engine == Engine::Ldap {
            fs::create_dir(database.dir.join("data")).expect("a directory below our own");
        }
        database.start_again();
        database
    }

    /// Starts the server, or starts it again with the data that it had.
    #[track_caller]
    pub fn start_again(&self) {
        let mut command = match self.engine {
            Engine::Sqlite => return,
            Engine::Postgresql => self.postgresql(),
            Engine::Mariadb => self.mariadb(),
            Engine::Ldap => self.slapd(),
        };
        let output = self.dir.join("server.txt");
        let process = Process::start("a database server", &mut command, &output);
        *self.server.lock().expect("no panic") = Some(process);
        let answers = poll(PATIENCE, || match self.engine {
            Engine::Ldap => std::net::TcpStream::connect(("127.0.0.1", self.port))
                .ok()
                .map(drop),
            _ => self.run("SELECT 1;").ok().map(drop),
        });
        if answers.is_none() {
            let said = fs::read_to_string(&output).unwrap_or_default();
            panic!("{:?} does not answer: {said}", self.engine);
        }
    }

    /// SIGKILL: every connection breaks, and nobody listens any more.
    pub fn kill(&self) {
        *self.server.lock().expect("no panic") = None;
        // PostgreSQL's other processes see that, and end on their own.
        wait_until("the end of the server", || {
            let closed = std::net::TcpListener::bind(("127.0.0.1", self.port)).is_ok();
            closed.then_some(())
        });
        let _ = fs::remove_file(self.dir.join("data/postmaster.pid"));
    }

    /// Runs statements and returns what they print, one row a line; or the error.
    pub fn run(&self, sql: &str) -> Result<String, String> {
        let mut command = match self.engine {
            Engine::Sqlite => {
                let mut command = Command::new("sqlite3");
                let file = self.file();
                command.args(["-batch", "-cmd", ".timeout 30000"]).arg(file);
                command
            }
            Engine::Postgresql => {
                let mut command = Command::new(postgresql().join("psql"));
                command.args(["--no-psqlrc", "-qAt", "-v", "ON_ERROR_STOP=1"]);
                command.args(["-h", "127.0.0.1", "-U", "asterisk", "-d", "asterisk"]);
                command.args(["-p", &self.port.to_string()]);
                command
            }
            Engine::Mariadb => {
                let mut command = Command::new(servers().join("usr/bin/mariadb"));
                command.args(["--no-defaults", "-h127.0.0.1", "-uasterisk", "-psecret"]);
                command.args(["-NB", "--default-character-set=utf8mb4", "asterisk"]);
                command.arg(format!("-P{}", self.port));
                command
            }
            Engine::Ldap => {
                let mut command = Command::new(servers().join("usr/bin/ldapmodify"));
                command.args([
                    "-a",
                    "-x",
                    "-D",
                    "cn=admin,dc=example,dc=com",
                    "-w",
                    "secret",
                ]);
                command.args(["-H", &format!("ldap://127.0.0.1:{}", self.port)]);
                command
            }
        };
        // A database's client has no configuration or history of the machine's.
        command.env("HOME", &self.dir).env("LDAPNOINIT", "1");
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|why| format!("{command:?}: {why}"))?;
        let mut input = child.stdin.take().expect("a pipe");
        let text = sql.to_owned();
        let writer = std::thread::spawn(move || input.write_all(text.as_bytes()));
        let output = child.wait_with_output().map_err(|why| why.to_string())?;
        let _ = writer.join();
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    }

    /// As [`Database::run`], of statements that succeed.
    #[track_caller]
    pub fn sql(&self, sql: &str) -> String {
        self.run(sql).unwrap_or_else(|why| panic!("{why}: {sql}"))
    }

    /// The engine.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// The page's own files for Asterisk, which lead to this database.
    pub fn configure(&self, builder: Builder) -> Builder {
        let page = repository_file("doc/databases.md");
        let port = self.port.to_string();
        let file = |name: &str| snippet(&page, name);
        match self.engine {
            Engine::Sqlite => builder
                .modules(sets::SQLITE)
                .file("extconfig.conf", &file("extconfig.conf, SQLite"))
                .file(
                    "res_config_sqlite3.conf",
                    &file("res_config_sqlite3.conf").replace(
                        "/var/lib/asterisk/userpresence.sqlite3",
                        &self.file().display().to_string(),
                    ),
                ),
            Engine::Postgresql => builder
                .modules(sets::POSTGRESQL)
                .file("extconfig.conf", &file("extconfig.conf, PostgreSQL"))
                .file(
                    "res_pgsql.conf",
                    &file("res_pgsql.conf").replace("5432", &port),
                ),
            Engine::Mariadb => {
                let driver = root().library("odbc/libmaodbc.so");
                let driver = driver.expect("the root has MariaDB's driver");
                let odbc = file("odbc.ini").replace("3306", &port);
                let drivers = format!("[MariaDB Unicode]\nDriver = {}\n", driver.display());
                fs::write(self.dir.join("odbc.ini"), odbc).expect("our own directory");
                fs::write(self.dir.join("odbcinst.ini"), drivers).expect("our own directory");
                builder
                    .modules(sets::ODBC)
                    .environment("ODBCSYSINI", &self.dir.display().to_string())
                    .file("extconfig.conf", &file("extconfig.conf, MariaDB"))
                    .file("res_odbc.conf", &file("res_odbc.conf"))
            }
            Engine::Ldap => builder
                .modules(sets::LDAP)
                .environment("LDAPNOINIT", "1")
                .file(
                    "res_ldap.conf",
                    &file("res_ldap.conf")
                        .replace("ldap.example.com", &format!("127.0.0.1:{port}")),
                ),
        }
    }

    /// SQLite's file.
    fn file(&self) -> PathBuf {
        self.dir.join("userpresence.sqlite3")
    }

    fn postgresql(&self) -> Command {
        let program = postgresql().join("postgres");
        // It refuses to run as root; then its data belongs to nobody, who has to reach them.
        let mut command = match is_root() {
            false => Command::new(program),
            true => {
                let mut command = Command::new("setpriv");
                command
                    .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
                    .args(["--inh-caps=+dac_override", "--ambient-caps=+dac_override"])
                    .arg(program);
                command
            }
        };
        let data = self.dir.join("data");
        command.arg("-D").arg(&data).arg("-F");
        command.arg("-p").arg(self.port.to_string());
        for setting in [
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "shared_buffers=16MB",
            "max_connections=20",
            "log_timezone=GMT",
            "timezone=GMT",
        ] {
            command.arg("-c").arg(setting);
        }
        command
    }

    fn mariadb(&self) -> Command {
        let mut command = Command::new(servers().join("usr/sbin/mariadbd"));
        command.arg("--no-defaults");
        if is_root() {
            command.arg("--user=root");
        }
        let usr = servers().join("usr");
        command
            .arg(format!("--basedir={}", usr.display()))
            .arg(format!("--datadir={}", self.dir.join("data").display()))
            .arg(format!(
                "--lc-messages-dir={}",
                usr.join("share/mariadb").display()
            ))
            .arg(format!(
                "--plugin-dir={}",
                usr.join("lib/mysql/plugin").display()
            ))
            .args([
                "--bind-address=127.0.0.1",
                "--socket=sock",
                "--pid-file=pid",
            ])
            .arg(format!("--port={}", self.port))
            .args(["--innodb-buffer-pool-size=16M", "--innodb-log-file-size=4M"])
            .args([
                // Rows outlive the server's process, though not the machine's power.
                "--innodb-flush-log-at-trx-commit=2",
                "--character-set-server=utf8mb4",
            ]);
        command
    }

    fn slapd(&self) -> Command {
        let usr = servers().join("usr");
        let schema = servers().join("etc/ldap/schema");
        let mut text = String::new();
        for name in ["core", "cosine", "inetorgperson"] {
            text.push_str(&format!("include {}/{name}.schema\n", schema.display()));
        }
        text.push_str(&format!(
            "modulepath {}\nmoduleload back_mdb\npidfile {dir}/pid\n\
             database mdb\nmaxsize 67108864\nsuffix \"dc=example,dc=com\"\n\
             rootdn \"cn=admin,dc=example,dc=com\"\nrootpw secret\ndirectory {dir}/data\n\
             dbnosync\naccess to attrs=userPassword by * none\naccess to * by * read\n",
            usr.join("lib/ldap").display(),
            dir = self.dir.display(),
        ));
        let file = self.dir.join("slapd.conf");
        fs::write(&file, text).expect("our own directory");
        let mut command = Command::new(usr.join("sbin/slapd"));
        command.arg("-f").arg(&file).args(["-d", "0", "-h"]);
        command.arg(format!("ldap://127.0.0.1:{}", self.port));
        command
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Ok(mut server) = self.server.lock() {
            *server = None;
        }
        if std::env::var_os("KEEP").is_none() {
            // Processes that the server leaves behind may write for a moment still.
            let _ = poll(PATIENCE, || {
                let gone = fs::remove_dir_all(&self.dir).is_ok() || !self.dir.exists();
                gone.then_some(())
            });
        }
    }
}

/// A file that a page of the documentation shows: the code block whose first line is
/// `; NAME`.
#[track_caller]
pub fn snippet(page: &str, name: &str) -> String {
    let first = format!("; {name}");
    let mut blocks = page.split("```").skip(1).step_by(2);
    let block = blocks.find(|block| block.lines().nth(1) == Some(&first));
    let block = block.unwrap_or_else(|| panic!("no block '{first}'"));
    let lines: Vec<&str> = block.lines().skip(1).collect();
    lines.join("\n") + "\n"
}

/// Where the servers are unpacked.
fn servers() -> PathBuf {
    let path = repository().join("target/databases");
    path.canonicalize()
        .unwrap_or_else(|_| panic!("{} is missing: run `make databases`", path.display()))
}

fn postgresql() -> PathBuf {
    let versions = servers().join("usr/lib/postgresql");
    let mut entries = fs::read_dir(&versions).expect("the servers are complete");
    let version = entries
        .next()
        .expect("a version")
        .expect("a readable directory");
    version.path().join("bin")
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::metadata("/proc/self").is_ok_and(|data| data.uid() == 0) && Path::new("/proc").exists()
}
