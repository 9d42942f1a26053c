pub mod argument;
pub mod reply;
pub mod route;
