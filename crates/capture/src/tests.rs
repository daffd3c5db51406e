mod links;
mod reading;
mod support;
