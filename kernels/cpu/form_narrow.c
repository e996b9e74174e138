/* kernels/cpu/form_narrow.c: the form of int32 words (form_words.h). Its `fits` keeps what does not fit away. */
#include "kernels/cpu/form_body.h"
