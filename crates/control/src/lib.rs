//! Request + state + now + ids -> response + changes, or an AWS error. One file per noun.
