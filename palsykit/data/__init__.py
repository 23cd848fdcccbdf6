"""Data preparation: writes any registered data set as an imagefolder, and takes an inventory of one."""
