//! What the layer uses of `res_pjsip` and its modules, through [`crate::peer`].

pub mod feature_events;
pub mod request;
pub mod sender;
