"""The league: networks of one runtime budget, trained from scratch by one recipe, measured in the same rounds."""
