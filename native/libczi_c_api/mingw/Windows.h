// The header of the system under the name that libCZI has for it.
#include_next <windows.h>
