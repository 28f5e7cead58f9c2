//! The dialplan function `USER_PRESENCE()`.

use std::ffi::CStr;

use crate::asterisk::function::Function;
use crate::door;
use crate::presence::assignment;
use crate::presence::fields::Query;

/// `USER_PRESENCE(user[,field[,options]])`
pub struct UserPresence;

impl Function for UserPresence {
    const NAME: &'static CStr = c"USER_PRESENCE";

    fn read(arguments: &str, out: &mut String) -> Result<(), String> {
        crate::trip("function");
        let query = Query::parse(arguments)?;
        let answer = door::read(|world| query.answer(world));
        out.push_str(&answer.unwrap_or_else(|| Err("the module is not running".into()))?);
        Ok(())
    }

    fn write(arguments: &str, value: &str) -> Result<(), String> {
        let user = arguments.trim();
        if user.is_empty() || user.contains(',') {
            return Err("expected the user alone: USER_PRESENCE(user)=\
                        state[,subtype[,message[,options]]]"
                .into());
        }
        door::choose(user, &assignment::parse(value)?)
    }
}
