"""bandpass trains JEPAs on long temporal streams with a surprise-band curriculum."""
