window.test = 1;
