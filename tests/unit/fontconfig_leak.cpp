// Cairo keeps the fonts it has found until the process ends, where the leak checker no longer sees who holds fontconfig's patterns.
// A kilobyte once, not one for each picture.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() { return "leak:libfontconfig\n"; }
