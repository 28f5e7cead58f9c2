//! The dialplan function `USER_PRESENCE()`.

use crate::runtime;
use std::ffi::CStr;

use crate::runtime::{own_settings, store};
use asterisk::function::Function;
use presence::model::assignment;
use presence::model::dnd::DndStatus;
use presence::model::flags::Flag;
use presence::views::fields::{Field, Query};
use presence::world::Change;

/// `USER_PRESENCE(user[,field[,options]])`
pub struct UserPresenceFunction;

impl Function for UserPresenceFunction {
    const NAME: &'static CStr = c"USER_PRESENCE";

    fn read(arguments: &str, out: &mut String) -> Result<(), String> {
        crate::trip("function");
        let query = Query::parse(arguments)?;
        let answer = store::read(|world| query.answer(world));
        out.push_str(&answer.unwrap_or_else(|| Err(runtime::NOT_RUNNING.into()))?);
        Ok(())
    }

    fn write(arguments: &str, value: &str) -> Result<(), String> {
        let (user, field) = match arguments.split_once(',') {
            Some((user, field)) => (user.trim(), Field::parse(field.trim())?),
            None => (arguments.trim(), Field::Status),
        };
        if user.is_empty() {
            return Err("the user is missing, expected USER_PRESENCE(user)=\
                        status[,subtype[,message[,options]]]"
                .into());
        }
        match field {
            Field::Status => store::set_status(user, |statuses, clock| {
                assignment::parse(value, statuses, clock)
            }),
            Field::ChosenMessage => store::set_message(user, value),
            Field::Settings => Ok(own_settings::patch(user, value)?),
            Field::DndStatus => {
                let dnd = DndStatus::parse(value.trim())?;
                store::change_user(user, |user| Change::DndStatus(user, dnd)).map(drop)
            }
            Field::Flag(flag) => {
                let on = flag.parse_value(value)?;
                store::change_user(user, |user| Change::Flag(user, flag, on)).map(drop)
            }
            _ => Err(format!(
                "this field is read-only; expected no field, or status, chosen_message, \
                 settings, dndStatus, {}",
                Flag::expected()
            )),
        }
    }
}
