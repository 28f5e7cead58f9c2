//! The dialplan function `USER_PRESENCE_ROUTE()`.

use crate::runtime;
use std::ffi::CStr;

use crate::runtime::store;
use asterisk::function::Function;
use presence::calls::RouteQuery;

/// `USER_PRESENCE_ROUTE(user,origin[,field])`
pub struct UserPresenceRoute;

impl Function for UserPresenceRoute {
    const NAME: &'static CStr = c"USER_PRESENCE_ROUTE";

    fn read(arguments: &str, out: &mut String) -> Result<(), String> {
        crate::trip("route");
        let query = RouteQuery::parse(arguments)?;
        let answer = store::read(|world| query.answer(world));
        out.push_str(&answer.unwrap_or_else(|| Err(runtime::NOT_RUNNING.into()))?);
        Ok(())
    }

    fn write(_: &str, _: &str) -> Result<(), String> {
        Err("USER_PRESENCE_ROUTE() is read-only: it shows the configured routes".into())
    }
}
