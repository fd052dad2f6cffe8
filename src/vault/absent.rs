//! What stands in for talking to a server in a build without the feature `vault`.

use super::answer::{Failure, Reply, Request};
use super::settings::Server;

pub(super) fn exchange(_server: &Server, _request: &Request) -> Result<Reply, Failure> {
    Err(Failure::NotBuilt)
}
