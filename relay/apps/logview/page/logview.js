// The page of the log view. What comes over the socket, and what goes, stands at the head of logview.go. Lines are what strangers have made a server
// write: they become text nodes, and nothing else.
( function () {
	'use strict';

	const base = document.currentScript.src;
	const find = ( id ) => document.getElementById( id );
	const lines = find( 'lines' );
	const KEPT = 5000; // lines on the page, and as many that wait while it is paused
	const LONGEST = 30000; // ms between two tries
	// When to say what has been taken in: after so many characters or frames, and after so many ms, but not more often than the relay likes.
	const ACK = { length: 256 * 1024, frames: 64, most: 100, least: 60 };
	const LEVELS = [
		[ 'error', /\b(?:emerg|alert|crit|critical|err|error|fatal|panic|severe|exception)\b|" 5\d\d(?: |$)/i ],
		[ 'warning', /\bwarn(?:ing)?\b|" 4\d\d(?: |$)/i ],
		[ 'notice', /\bnotice\b/i ],
		[ 'debug', /\b(?:debug|trace)\b/i ]
	];

	const asked = new URLSearchParams( location.search );
	let log = asked.get( 'log' ) || '';
	let tail = asked.get( 'tail' ) || '';
	let socket = null;
	let token = kept();
	let tries = 0;
	let timer = 0;
	let pending = []; // elements that are not on the page yet
	let skipped = 0; // lines that have fallen out of pending
	let drawing = 0;
	let paused = false;
	let total = 0;
	let hidden = 0; // elements that the filter hides
	let accepts = () => true;
	let frames = 0;
	let unsaid = { frames: 0, length: 0, timer: 0 };
	let acked = 0; // when
	let ready = false;

	// A browser may forbid a page to keep anything.
	function kept() {
		try {
			return sessionStorage.getItem( 'logview:token' ) || '';
		} catch ( e ) {
			return '';
		}
	}

	function keep( value ) {
		token = value;
		try {
			sessionStorage.setItem( 'logview:token', value );
		} catch ( e ) {
			// it is asked for again
		}
	}

	function status( state, words ) {
		find( 'status' ).dataset.state = state;
		find( 'status' ).textContent = words;
	}

	function level( line ) {
		const found = LEVELS.find( ( l ) => l[ 1 ].test( line ) );
		return found ? found[ 0 ] : '';
	}

	// What a terminal would obey is not shown (colours) or shown as a sign of its own; nothing turns the direction of what follows.
	function readable( line ) {
		/* eslint-disable no-control-regex */
		return line
			.replace( /\u001b\[[0-9;]*m/g, '' )
			.replace( /[\u0000-\u0008\u000a-\u001f]/g, ( c ) => String.fromCharCode( 0x2400 + c.charCodeAt( 0 ) ) )
			.replace( /[\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, '\ufffd' );
	}

	function filter( item ) {
		const out = !item.classList.contains( 'word' ) && !accepts( item.textContent );
		if ( out !== item.hidden ) {
			item.hidden = out;
			hidden += out ? 1 : -1;
		}
	}

	function element( className, text ) {
		const item = document.createElement( 'div' );
		item.className = className;
		item.textContent = text;
		return item;
	}

	function put( className, text ) {
		pending.push( element( className, text ) );
		if ( pending.length > KEPT ) {
			pending.shift();
			skipped++;
		}
		if ( drawing === 0 ) {
			drawing = setTimeout( draw, 50 );
		}
	}

	function counts() {
		const shown = lines.children.length;
		const words = [ total + ( total === 1 ? ' line' : ' lines' ) ];
		if ( shown < total ) {
			words.push( 'the last ' + shown + ' are kept' );
		}
		if ( hidden > 0 ) {
			words.push( hidden + ' hidden by the filter' );
		}
		find( 'counts' ).textContent = words.join( ' · ' );
		find( 'empty' ).hidden = shown > 0 || !ready;
		find( 'pause' ).textContent = paused ? 'Resume' + ( pending.length > 0 ? ' (' + ( pending.length + skipped ) + ')' : '' ) : 'Pause';
	}

	function drop( item ) {
		hidden -= item.hidden ? 1 : 0;
		lines.removeChild( item );
	}

	function draw() {
		drawing = 0;
		if ( !paused ) {
			const all = document.createDocumentFragment();
			pending.forEach( ( item ) => {
				filter( item );
				all.appendChild( item );
			} );
			pending = [];
			skipped = 0;
			lines.appendChild( all );
			while ( lines.children.length > KEPT ) {
				drop( lines.firstChild );
			}
			if ( find( 'follow' ).checked ) {
				lines.scrollTop = lines.scrollHeight;
			}
		}
		counts();
	}

	function say( what ) {
		if ( socket !== null && socket.readyState === WebSocket.OPEN ) {
			socket.send( JSON.stringify( what ) );
		}
	}

	function acknowledge() {
		clearTimeout( unsaid.timer );
		unsaid = { frames: 0, length: 0, timer: 0 };
		acked = Date.now();
		say( { op: 'ack', frames: frames } );
	}

	const receive = {
		ready( m ) {
			tries = 0;
			ready = true;
			letIn( true );
			log = m.log;
			tail = '';
			const picker = find( 'log' );
			picker.textContent = '';
			m.logs.forEach( ( name ) => picker.appendChild( new Option( name, name, name === log, name === log ) ) );
			picker.hidden = false;
			document.title = log + ' – log view';
			status( 'there', 'Following ' + log + ( m.refresh > 0 ? ', every ' + m.refresh / 1000 + ' s' : '' ) );
			counts();
		},
		lines( m, length ) {
			m.lines.forEach( ( line ) => {
				const text = readable( line );
				put( level( text ), text );
			} );
			total += m.lines.length;
			frames++;
			unsaid.frames++;
			unsaid.length += length;
			if ( ( unsaid.frames >= ACK.frames || unsaid.length >= ACK.length ) && Math.abs( Date.now() - acked ) >= ACK.least ) {
				acknowledge();
			} else if ( unsaid.timer === 0 ) {
				unsaid.timer = setTimeout( acknowledge, ACK.most );
			}
		},
		missed( m ) {
			total += m.lines;
			put( 'word', ( m.lines === 1 ? 'one line is' : m.lines + ' lines are' ) + ' left out here: this page was too slow' );
		},
		note( m ) {
			put( 'word', m.text );
		}
	};

	// The tools and the lines are for whoever has been let in.
	function letIn( yes ) {
		find( 'token' ).hidden = yes;
		find( 'tools' ).hidden = !yes;
		document.querySelector( 'main' ).hidden = !yes;
	}

	function ask( why ) {
		letIn( false );
		find( 'why' ).textContent = why;
		find( 'secret' ).focus();
		status( 'away', 'Not connected' );
	}

	function closed( event ) {
		socket = null;
		clearTimeout( unsaid.timer );
		if ( ready ) {
			put( 'word', 'the connection was lost; lines may be missing here' );
		}
		ready = false;
		if ( event.code === 4403 || event.code === 4429 ) {
			ask( token === '' ? 'Whoever has a token.' : 'Not let in: ' + event.reason + '.' );
			return;
		}
		if ( event.code >= 4500 ) {
			status( 'away', 'Not connected: ' + ( event.reason || 'the relay has ended the connection' ) );
			return;
		}
		// twice as long each time, and any part of that: those who were cut off together do not come back together
		const most = Math.min( LONGEST, 500 * Math.pow( 2, tries++ ) );
		status( 'away', ( event.reason ? 'Not connected: ' + event.reason + '. ' : 'Not connected. ' ) + 'Trying again …' );
		timer = setTimeout( connect, most / 2 + Math.random() * most / 2 );
	}

	function connect() {
		clearTimeout( timer );
		if ( socket !== null ) {
			return;
		}
		const url = new URL( 'connect', base );
		url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
		if ( log !== '' ) {
			url.searchParams.set( 'log', log );
		}
		if ( tail !== '' ) {
			url.searchParams.set( 'tail', tail );
		}
		status( 'waiting', 'Connecting …' );
		frames = 0;
		unsaid = { frames: 0, length: 0, timer: 0 };
		socket = new WebSocket( url.href );
		socket.onopen = () => say( { op: 'open', token: token } );
		socket.onmessage = ( event ) => {
			const m = JSON.parse( event.data );
			if ( Object.prototype.hasOwnProperty.call( receive, m.op ) ) {
				receive[ m.op ]( m, event.data.length );
			}
		};
		socket.onclose = closed;
	}

	function clear() {
		lines.textContent = '';
		pending = [];
		skipped = total = hidden = 0;
		counts();
	}

	find( 'token' ).addEventListener( 'submit', ( event ) => {
		event.preventDefault();
		keep( find( 'secret' ).value );
		find( 'secret' ).value = '';
		find( 'token' ).hidden = true;
		connect();
	} );
	find( 'log' ).addEventListener( 'change', () => {
		log = find( 'log' ).value;
		asked.set( 'log', log );
		history.replaceState( null, '', '?' + asked );
		clear();
		const old = socket;
		ready = false;
		if ( old !== null ) {
			old.onclose = old.onmessage = null;
			old.close();
			socket = null;
		}
		connect();
	} );
	find( 'filter' ).addEventListener( 'input', () => {
		const wanted = find( 'filter' ).value;
		const expression = /^\/(.+)\/$/.exec( wanted );
		let fault = '';
		if ( expression ) {
			try {
				const found = new RegExp( expression[ 1 ], 'i' );
				accepts = ( text ) => found.test( text );
			} catch ( e ) {
				fault = 'This is no regular expression';
			}
		} else {
			accepts = ( text ) => text.toLowerCase().includes( wanted.toLowerCase() );
		}
		find( 'filter' ).setCustomValidity( fault );
		Array.from( lines.children ).forEach( filter );
		draw();
	} );
	find( 'pause' ).addEventListener( 'click', () => {
		paused = !paused;
		find( 'pause' ).setAttribute( 'aria-pressed', String( paused ) );
		if ( skipped > 0 ) {
			pending.unshift( element( 'word', skipped + ' lines are left out here: too many while paused' ) );
		}
		draw();
	} );
	find( 'clear' ).addEventListener( 'click', clear );
	find( 'wrap' ).addEventListener( 'change', () => lines.classList.toggle( 'wrap', find( 'wrap' ).checked ) );
	find( 'follow' ).addEventListener( 'change', draw );
	// who scrolls up wants to read; who scrolls to the end, to follow
	lines.addEventListener( 'scroll', () => {
		find( 'follow' ).checked = lines.scrollHeight - lines.scrollTop - lines.clientHeight < 40;
	} );
	window.addEventListener( 'online', connect );
	lines.classList.add( 'wrap' );
	connect();
}() );
