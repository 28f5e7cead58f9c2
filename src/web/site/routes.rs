//! What there is below `v1/`, and who answers it.

use super::{HttpCaller, Method, Reply, Request, events, openapi, session, users};

/// A path, `*` standing for any part that is not empty, and what is done by each method.
pub struct Route<F: 'static> {
    path: &'static [&'static str],
    methods: &'static [(Method, F)],
}

/// Answers to everyone.
type OpenHandler = fn(&Request<'_>) -> Reply;
/// Answers to callers.
type CallerHandler = fn(&Request<'_>, &HttpCaller) -> Reply;

/// What is answered to everyone.
pub static OPEN: &[Route<OpenHandler>] = &[
    Route {
        path: &["v1", "openapi.json"],
        methods: &[(Method::Get, openapi::show)],
    },
    Route {
        path: &["v1", "session"],
        methods: &[(Method::Post, session::log_in)],
    },
    #[cfg(feature = "selftest")]
    Route {
        path: &["v1", "selftest"],
        methods: &[(Method::Get, super::selftest::stream)],
    },
];

/// What is answered to callers alone.
pub static CALLERS: &[Route<CallerHandler>] = &[
    Route {
        path: &["v1", "session"],
        methods: &[
            (Method::Get, session::show),
            (Method::Delete, session::log_out),
        ],
    },
    Route {
        path: &["v1", "account", "*", "presence"],
        methods: &[(Method::Get, users::list)],
    },
    Route {
        path: &["v1", "account", "*", "statuses"],
        methods: &[(Method::Get, users::statuses)],
    },
    Route {
        path: &["v1", "account", "*", "extension", "*", "presence"],
        methods: &[(Method::Get, users::get), (Method::Put, users::put)],
    },
    Route {
        path: &["v1", "account", "*", "events"],
        methods: &[(Method::Get, events::stream)],
    },
];

/// What was found.
pub enum RouteMatch<F: 'static> {
    /// This.
    Route(F),
    /// The path, but not the method.
    Methods(&'static [(Method, F)]),
    /// Nothing.
    Nothing,
}

impl<F> RouteMatch<F> {
    /// The methods that there are instead.
    pub fn methods(&self) -> Vec<Method> {
        match self {
            RouteMatch::Methods(methods) => methods.iter().map(|(method, _)| *method).collect(),
            _ => Vec::new(),
        }
    }
}

/// Looks for what answers to that method and path.
pub fn find<F: Copy>(routes: &'static [Route<F>], method: Method, path: &[&str]) -> RouteMatch<F> {
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
    // The head of an answer is that of a read.
    let method = match method {
        Method::Head => Method::Get,
        method => method,
    };
    let found = route.methods.iter().find(|(known, _)| *known == method);
    found.map_or(RouteMatch::Methods(route.methods), |(_, answer)| {
        RouteMatch::Route(*answer)
    })
}
