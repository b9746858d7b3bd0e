"""The compiled form of each family that has one: the functions of `handgrad.models.forms.Form`."""
