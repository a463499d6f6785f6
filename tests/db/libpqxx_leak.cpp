// libpqxx 6.4 forgets the last result of a connection that the server ended: it throws "Could not obtain client encoding"
// between taking the result from libpq and owning it. Two kilobytes for each lost connection; drop this with libpqxx 7.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() { return "leak:libpqxx-6\n"; }
