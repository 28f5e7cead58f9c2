//! The description of an instance.

use super::instance::Instance;
use super::modules::{IF_PRESENT, sets};
use super::namespace::Namespace;
use super::paths;
use super::root::root;

/// The build of the module that an instance gets.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ours {
    None,
    Release,
    Selftest,
}

/// Describes an [`Instance`]; [`Builder::start`] makes it.
#[derive(Clone)]
pub struct Builder {
    pub(super) ours: Ours,
    pub(super) load_ours: bool,
    pub(super) http: bool,
    pub(super) http_sessions: usize,
    pub(super) modules: Vec<String>,
    pub(super) hints: Vec<(String, String)>,
    pub(super) dialplan: String,
    pub(super) endpoints: Vec<String>,
    pub(super) forgetful: bool,
    pub(super) ami_users: Vec<(String, String, String)>,
    pub(super) queues: String,
    pub(super) calendars: Vec<String>,
    pub(super) files: Vec<(String, String)>,
    pub(super) realtime: Option<(Vec<String>, String)>,
    pub(super) environment: Vec<(&'static str, String)>,
    pub(super) namespace: Option<Namespace>,
}

impl Builder {
    pub(super) fn new(ours: Ours) -> Self {
        let mut builder = Self {
            ours,
            load_ours: true,
            http: false,
            http_sessions: 100,
            modules: Vec::new(),
            hints: Vec::new(),
            dialplan: String::new(),
            endpoints: Vec::new(),
            forgetful: false,
            ami_users: Vec::new(),
            queues: String::new(),
            calendars: Vec::new(),
            files: Vec::new(),
            realtime: None,
            environment: Vec::new(),
            namespace: None,
        };
        builder.add_modules(sets::BASE);
        builder
    }

    fn add_modules(&mut self, names: &[&str]) {
        for name in names {
            let absent = IF_PRESENT.contains(name) && !root().has_module(name);
            if !absent && !self.modules.iter().any(|known| known == name) {
                self.modules.push((*name).to_owned());
            }
        }
    }

    /// The content of `userpresence.conf`. By default there is no such file.
    pub fn userpresence(self, text: &str) -> Self {
        self.file("userpresence.conf", text)
    }

    /// Any further configuration file; it replaces the harness's own.
    pub fn file(mut self, name: &str, text: &str) -> Self {
        self.files.push((name.to_owned(), text.to_owned()));
        self
    }

    /// The module's file is there, but Asterisk does not load it at the start.
    pub fn not_loaded(mut self) -> Self {
        self.load_ours = false;
        self
    }

    /// More of Asterisk's modules, for example [`sets::QUEUE`].
    pub fn modules(mut self, names: &[&str]) -> Self {
        self.add_modules(names);
        self
    }

    /// Modules that are not loaded at the start, although they are in a set.
    pub fn leave_out(mut self, names: &[&str]) -> Self {
        self.modules
            .retain(|known| !names.contains(&known.as_str()));
        self
    }

    /// `exten = EXTENSION,hint,HINT` in context `default`.
    pub fn hint(mut self, extension: &str, hint: &str) -> Self {
        self.hints.push((extension.to_owned(), hint.to_owned()));
        self
    }

    /// More text for `extensions.conf`. It begins inside context `default`.
    pub fn dialplan(mut self, text: &str) -> Self {
        self.dialplan.push_str(text);
        self.dialplan.push('\n');
        self
    }

    /// SIP on a loopback port for a [`super::Subscriber`], and an endpoint and AOR of each
    /// of these names (no password, context `default`) for a [`super::Phone`].
    pub fn sip(mut self, endpoints: &[&str]) -> Self {
        self.add_modules(sets::SIP);
        self.endpoints
            .extend(endpoints.iter().map(|name| (*name).to_owned()));
        self
    }

    /// The endpoints 200, 201 and 202, which call each other by these numbers.
    pub fn phones(self) -> Self {
        self.sip(&["200", "201", "202"])
            .dialplan("exten = _20X,1,Dial(PJSIP/${EXTEN})")
    }

    /// SIP that forgets a call within 6.4 seconds after its end, instead of 32.
    pub fn sip_forgets_soon(mut self) -> Self {
        self.forgetful = true;
        self
    }

    /// A queue that rings all members at once, with these further lines of `queues.conf` and
    /// these members, in the form that follows `member =>` there.
    ///
    /// `Local/NAME@agents/n`, with any name, is an agent that answers at once.
    pub fn queue(mut self, name: &str, options: &str, members: &[&str]) -> Self {
        self.add_modules(sets::QUEUE);
        self.queues.push_str(&format!(
            "\n[{name}]\nstrategy = ringall\ntimeout = 60\nretry = 1\n\
             joinempty = yes\nringinuse = no\n{options}\n"
        ));
        for member in members {
            self.queues.push_str(&format!("member => {member}\n"));
        }
        self
    }

    /// Conference rooms: `ConfBridge()`, and the device `confbridge:ROOM`.
    pub fn conferences(mut self) -> Self {
        self.add_modules(sets::CONFBRIDGE);
        self.file("confbridge.conf", "[general]\n")
    }

    /// Parking: `Park()`, `ParkedCall(default,SPACE)`, and spaces 701 to 720 as devices
    /// `park:SPACE@parkedcalls`.
    pub fn parking(mut self) -> Self {
        self.add_modules(sets::PARKING);
        let text = "[general]\n\n[default]\nparkext = 700\nparkpos = 701-720\n\
                    context = parkedcalls\nparkingtime = 600\n";
        self.file("res_parking.conf", text)
    }

    /// An empty calendar, for [`Instance::set_calendar`], and its device
    /// `Calendar:NAME`.
    pub fn calendar(mut self, name: &str) -> Self {
        self.add_modules(sets::CALENDAR);
        self.calendars.push(name.to_owned());
        self.http()
    }

    /// Asterisk's HTTP server on a loopback port, with AMI over HTTP.
    pub fn http(mut self) -> Self {
        self.http = true;
        self
    }

    /// The HTTP server's limit of simultaneous connections. Asterisk's own default is 100.
    pub fn http_sessions(mut self, most: usize) -> Self {
        self.http_sessions = most;
        self
    }

    /// Asterisk's REST interface, with the user and secret of AMI.
    pub fn ari(mut self) -> Self {
        self.add_modules(sets::ARI);
        self.http()
    }

    /// One more AMI user, with these privilege classes.
    pub fn ami_user(mut self, name: &str, read: &str, write: &str) -> Self {
        self.ami_users
            .push((name.to_owned(), read.to_owned(), write.to_owned()));
        self
    }

    /// Realtime `families` in a SQLite database, made by `sql`.
    pub fn realtime(mut self, families: &[&str], sql: &str) -> Self {
        self.add_modules(sets::SQLITE);
        let families = families.iter().map(|name| (*name).to_owned()).collect();
        self.realtime = Some((families, sql.to_owned()));
        self
    }

    /// Overwrites memory when it is allocated and when it is freed, and turns off the threads'
    /// caches of free memory: a use after free shows.
    pub fn perturbed(self) -> Self {
        let tunables = "glibc.malloc.perturb=165:glibc.malloc.tcache_count=0";
        self.environment("GLIBC_TUNABLES", tunables)
            .environment("MALLOC_PERTURB_", "165")
    }

    /// A system clock that differs from the machine's by this, for example `+3600s`. It runs
    /// at the same pace.
    pub fn clock(self, offset: &str) -> Self {
        self.environment("LD_PRELOAD", &paths::faketime().to_string_lossy())
            .environment("FAKETIME", offset)
            .environment("FAKETIME_DONT_FAKE_MONOTONIC", "1")
    }

    /// Sets a variable of Asterisk's environment.
    pub fn environment(mut self, name: &'static str, value: &str) -> Self {
        self.environment.push((name, value.to_owned()));
        self
    }

    /// Runs the instance on this machine. The harness's AMI and the CLI reach it; what else
    /// uses its ports has to be there too.
    pub(super) fn inside(mut self, namespace: &Namespace) -> Self {
        self.namespace = Some(namespace.clone());
        self
    }

    /// Starts the instance and waits until it is fully booted.
    #[track_caller]
    pub fn start(self) -> Instance {
        Instance::create(self)
    }
}
