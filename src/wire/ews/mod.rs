//! The SOAP operations of EWS, one file each: request and reply, writer and reader.
