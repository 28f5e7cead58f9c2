//! The dialplan function `USER_PRESENCE()`.

use crate::runtime;
use std::ffi::CStr;

use crate::runtime::{own_settings, store};
use asterisk::function::Function;
use presence::model::assignment;
use presence::model::dnd::DndStatus;
use presence::model::flags::Flag;
use presence::model::own_settings::SettingsPath;
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
        let (user, field) = arguments.split_once(',').unwrap_or((arguments, ""));
        let (field, item) = field.split_once(',').unwrap_or((field, ""));
        let (user, item) = (user.trim(), item.trim());
        let field = match field.trim() {
            "" if !arguments.contains(',') => Field::Status,
            field => Field::parse(field)?,
        };
        if !item.is_empty() && field != Field::Settings {
            return Err("too many arguments, expected user and field".into());
        }
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
            Field::Settings if item.is_empty() => Ok(own_settings::patch(user, value)?),
            Field::Settings => {
                let item = SettingsPath::parse(item)?;
                Ok(own_settings::set_item(user, item, value)?)
            }
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
