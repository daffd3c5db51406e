//! Every operation through its JSON, as clients call it.
