//! The resources below `v1/` and their handlers.

use super::{
    HttpCaller, HttpMethod, Reply, Request, calls, configuration, events, openapi, password,
    queues, session, settings, users, version,
};

/// A path, in which `*` matches any part that is not empty, and the handler of each method.
pub struct Route<F: 'static> {
    path: &'static [&'static str],
    methods: &'static [(HttpMethod, F)],
}

/// A handler without authentication.
type OpenHandler = fn(&Request<'_>) -> Reply;
/// A handler for authenticated callers.
type CallerHandler = fn(&Request<'_>, &HttpCaller) -> Reply;

/// The resources without authentication.
pub static OPEN: &[Route<OpenHandler>] = &[
    Route {
        path: &["v1", "openapi.json"],
        methods: &[(HttpMethod::Get, openapi::show)],
    },
    Route {
        path: &["v1", "session"],
        methods: &[(HttpMethod::Post, session::log_in)],
    },
    #[cfg(feature = "selftest")]
    Route {
        path: &["v1", "selftest"],
        methods: &[(HttpMethod::Get, super::selftest::stream)],
    },
];

/// The resources for authenticated callers.
pub static CALLERS: &[Route<CallerHandler>] = &[
    Route {
        path: &["v1", "session"],
        methods: &[
            (HttpMethod::Get, session::show),
            (HttpMethod::Delete, session::log_out),
        ],
    },
    Route {
        path: &["v1", "session", "password"],
        methods: &[(HttpMethod::Put, password::put)],
    },
    Route {
        path: &["v1", "version"],
        methods: &[(HttpMethod::Get, version::show)],
    },
    Route {
        path: &["v1", "account", "*", "presence"],
        methods: &[(HttpMethod::Get, users::list)],
    },
    Route {
        path: &["v1", "account", "*", "statuses"],
        methods: &[(HttpMethod::Get, users::statuses)],
    },
    Route {
        path: &["v1", "account", "*", "extension", "*", "presence"],
        methods: &[(HttpMethod::Get, users::get), (HttpMethod::Put, users::put)],
    },
    Route {
        path: &["v1", "account", "*", "calls"],
        methods: &[(HttpMethod::Get, calls::list)],
    },
    Route {
        path: &["v1", "account", "*", "extension", "*", "calls"],
        methods: &[(HttpMethod::Post, calls::dial)],
    },
    Route {
        path: &["v1", "account", "*", "extension", "*", "pickup"],
        methods: &[(HttpMethod::Post, calls::pick_up)],
    },
    Route {
        path: &["v1", "account", "*", "queues"],
        methods: &[(HttpMethod::Get, queues::list)],
    },
    Route {
        path: &["v1", "account", "*", "queues", "*", "own"],
        methods: &[(HttpMethod::Put, queues::pause)],
    },
    Route {
        path: &["v1", "account", "*", "extension", "*", "settings"],
        methods: &[
            (HttpMethod::Get, settings::get),
            (HttpMethod::Put, settings::put),
        ],
    },
    Route {
        path: &["v1", "account", "*", "events"],
        methods: &[(HttpMethod::Get, events::stream)],
    },
    Route {
        path: &["v1", "configuration"],
        methods: &[
            (HttpMethod::Get, configuration::show),
            (HttpMethod::Put, configuration::change),
        ],
    },
    Route {
        path: &["v1", "configuration", "check"],
        methods: &[(HttpMethod::Post, configuration::check)],
    },
    Route {
        path: &["v1", "configuration", "backups"],
        methods: &[(HttpMethod::Get, configuration::backups)],
    },
    Route {
        path: &["v1", "configuration", "backups", "*"],
        methods: &[(HttpMethod::Post, configuration::restore)],
    },
    Route {
        path: &["v1", "configuration", "sections", "*"],
        methods: &[
            (HttpMethod::Get, configuration::show_section),
            (HttpMethod::Put, configuration::change_section),
            (HttpMethod::Delete, configuration::delete_section),
        ],
    },
];

/// The result of a search for a route.
pub enum RouteMatch<F: 'static> {
    /// The handler.
    Route(F),
    /// The path exists, with these methods only.
    Methods(&'static [(HttpMethod, F)]),
    /// The path does not exist.
    Nothing,
}

impl<F> RouteMatch<F> {
    /// The methods of the path.
    pub fn methods(&self) -> Vec<HttpMethod> {
        match self {
            RouteMatch::Methods(methods) => methods.iter().map(|(method, _)| *method).collect(),
            _ => Vec::new(),
        }
    }
}

/// Finds the handler of a method and path.
pub fn find<F: Copy>(
    routes: &'static [Route<F>],
    method: HttpMethod,
    path: &[&str],
) -> RouteMatch<F> {
    let same = |route: &&Route<F>| {
        let parts = route.path.iter().zip(path);
        route.path.len() == path.len()
            && parts.into_iter().all(|(route, part)| match *route {
                "*" => !part.is_empty(),
                route => route == *part,
            })
    };
    let Some(route) = routes.iter().find(same) else {
        return RouteMatch::Nothing;
    };
    // HEAD is answered like GET.
    let method = match method {
        HttpMethod::Head => HttpMethod::Get,
        method => method,
    };
    let found = route.methods.iter().find(|(known, _)| *known == method);
    found.map_or(RouteMatch::Methods(route.methods), |(_, answer)| {
        RouteMatch::Route(*answer)
    })
}
