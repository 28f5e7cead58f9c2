//! What the layer uses of `res_pjsip` and the modules around it. None of them need be there:
//! each part is a [`Peer`](crate::peer::Peer).

pub mod body_supplement;
pub mod feature_events;
pub mod publication;
pub mod request;
pub mod sender;
mod service;
