//! Each rule of RFC 9113 and RFC 7541 that a client can break, frame by frame.
