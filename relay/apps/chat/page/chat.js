// The page of a chat. What comes over the socket, and what goes, stands at the head of chat.go. All of it is text: it becomes text nodes, and nothing else.
( function () {
	'use strict';

	const base = document.currentScript.src;
	const find = ( id ) => document.getElementById( id );
	const lines = find( 'lines' );
	const text = find( 'text' );
	const nameField = find( 'name' );
	const KEPT = 500; // lines on the page
	const LONGEST = 30000; // ms between two tries
	const here = new Map(); // name to how many have it: a name that changes hands is there twice for a moment

	let socket = null;
	let joined = false;
	let tries = 0;
	let timer = 0;
	let you = '';
	let epoch = '';
	let last = 0; // the number of the newest line
	let shift = false; // the last key was pressed with it
	let said = ''; // until the relay has taken it

	// A browser may forbid a page to keep anything.
	function kept( store, name ) {
		try {
			return window[ store ].getItem( 'chat:' + name ) || '';
		} catch ( e ) {
			return '';
		}
	}

	function keep( store, name, value ) {
		try {
			window[ store ].setItem( 'chat:' + name, value );
		} catch ( e ) {
			// the next page asks again
		}
	}

	// The key shows the relay that this tab is the one that had the name before.
	const key = kept( 'sessionStorage', 'key' ) ||
		Array.from( crypto.getRandomValues( new Uint8Array( 16 ) ), ( b ) => ( '0' + b.toString( 16 ) ).slice( -2 ) ).join( '' );
	keep( 'sessionStorage', 'key', key );
	let wanted = kept( 'sessionStorage', 'name' ) || kept( 'localStorage', 'name' );

	function element( tag, className, content ) {
		const e = document.createElement( tag );
		e.className = className;
		e.textContent = content;
		return e;
	}

	function status( state, words ) {
		find( 'status' ).dataset.state = state;
		find( 'status' ).textContent = words;
		find( 'send' ).disabled = state !== 'there';
		find( 'again' ).hidden = state === 'there';
	}

	function trouble( words ) {
		find( 'trouble' ).textContent = words;
		find( 'trouble' ).hidden = words === '';
	}

	function say( what ) {
		if ( socket !== null && socket.readyState === WebSocket.OPEN ) {
			socket.send( JSON.stringify( what ) );
			return true;
		}
		return false;
	}

	function atEnd() {
		return lines.scrollHeight - lines.scrollTop - lines.clientHeight < 40;
	}

	function toEnd() {
		lines.scrollTop = lines.scrollHeight;
		find( 'newest' ).hidden = true;
	}

	function add( item, own ) {
		const follow = own || atEnd();
		lines.appendChild( item );
		while ( lines.children.length > KEPT ) {
			lines.removeChild( lines.firstChild );
		}
		if ( follow ) {
			toEnd();
		} else {
			find( 'newest' ).hidden = false;
		}
	}

	function colour( name ) {
		let sum = 0;
		for ( let i = 0; i < name.length; i++ ) {
			sum = ( sum * 33 + name.charCodeAt( i ) ) % 1009;
		}
		return 'from from-' + sum % 6;
	}

	function show( line ) {
		if ( line.n <= last ) {
			return;
		}
		if ( last > 0 && line.n > last + 1 ) {
			const n = line.n - last - 1;
			add( element( 'li', 'gap', n === 1 ? 'one message is missing' : n + ' messages are missing' ), false );
		}
		last = line.n;
		if ( line.from === you ) {
			said = '';
		}
		const item = element( 'li', line.from === you ? 'own' : '', '' );
		const from = element( 'span', colour( line.from ), line.from );
		const when = new Date( line.time );
		const time = element( 'time', '', when.toLocaleTimeString( [], { hour: '2-digit', minute: '2-digit' } ) );
		time.dateTime = when.toISOString();
		time.title = when.toLocaleString();
		const words = element( 'p', 'text', line.text );
		words.dir = 'auto';
		// for screen readers, which read the line in one
		from.appendChild( element( 'span', 'unseen', ': ' ) );
		item.append( from, time, words );
		add( item, line.from === you );
	}

	function showHere() {
		const list = find( 'here' );
		list.textContent = '';
		Array.from( here.keys() ).sort( ( a, b ) => a.localeCompare( b ) ).forEach( ( name ) => {
			list.appendChild( element( 'li', name === you ? 'me' : '', name ) );
		} );
		find( 'count' ).textContent = String( here.size );
	}

	function count( name, by ) {
		const n = ( here.get( name ) || 0 ) + by;
		if ( n > 0 ) {
			here.set( name, n );
		} else {
			here.delete( name );
		}
	}

	function called( name ) {
		you = name;
		if ( document.activeElement !== nameField ) {
			nameField.value = name;
		}
		showHere();
	}

	const receive = {
		welcome( m ) {
			tries = 0;
			joined = true;
			here.clear();
			m.here.forEach( ( name ) => count( name, 1 ) );
			if ( epoch !== '' && m.epoch !== epoch ) {
				last = 0;
				add( element( 'li', 'gap', 'the chat has begun anew' ), false );
			}
			epoch = m.epoch;
			status( 'there', 'Connected' );
			called( m.you );
			( m.lines || [] ).forEach( show );
		},
		line( m ) {
			show( m.line );
		},
		here( m ) {
			if ( m.left ) {
				count( m.left, -1 );
			}
			if ( m.joined ) {
				count( m.joined, 1 );
			}
			showHere();
		},
		you( m ) {
			trouble( '' );
			called( m.name );
		},
		error( m ) {
			trouble( m.text.charAt( 0 ).toUpperCase() + m.text.slice( 1 ) + '.' );
			if ( text.value === '' ) {
				text.value = said;
				fit();
			}
			said = '';
		}
	};

	// 0.5 s, twice as long each time, and any part of that: those who were cut off together do not come back together.
	function later() {
		const most = Math.min( LONGEST, 500 * Math.pow( 2, tries++ ) );
		clearTimeout( timer );
		timer = setTimeout( connect, most / 2 + Math.random() * most / 2 );
	}

	function closed( event ) {
		socket = null;
		joined = false;
		if ( event.code >= 4500 ) {
			status( 'away', 'Not connected: ' + ( event.reason || 'the relay has ended the connection' ) );
			return;
		}
		status( 'away', event.reason ? 'Not connected: ' + event.reason + '. Trying again …' : 'Not connected. Trying again …' );
		later();
	}

	function connect() {
		clearTimeout( timer );
		if ( socket !== null ) {
			return;
		}
		const url = new URL( 'connect', base );
		url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
		status( 'waiting', 'Connecting …' );
		socket = new WebSocket( url.href, 'chat.v1' );
		socket.onopen = () => say( { op: 'join', key: key, name: wanted } );
		socket.onmessage = ( event ) => {
			const m = JSON.parse( event.data );
			if ( Object.prototype.hasOwnProperty.call( receive, m.op ) ) {
				receive[ m.op ]( m );
			}
		};
		socket.onclose = closed;
	}

	function fit() {
		text.style.height = 'auto';
		text.style.height = text.scrollHeight + 2 + 'px';
	}

	find( 'say' ).addEventListener( 'submit', ( event ) => {
		event.preventDefault();
		trouble( '' );
		if ( text.value.trim() !== '' && joined && say( { op: 'say', text: text.value } ) ) {
			said = text.value;
			text.value = '';
			fit();
		}
		text.focus();
	} );
	text.addEventListener( 'keydown', ( event ) => {
		shift = event.shiftKey;
	} );
	// Not the key: the keyboards of phones do not say which one it was.
	text.addEventListener( 'beforeinput', ( event ) => {
		if ( event.inputType === 'insertLineBreak' && !shift ) {
			event.preventDefault();
			find( 'send' ).click();
		}
	} );
	text.addEventListener( 'input', fit );
	find( 'rename' ).addEventListener( 'submit', ( event ) => {
		event.preventDefault();
		trouble( '' );
		wanted = nameField.value.normalize( 'NFC' ).trim();
		keep( 'sessionStorage', 'name', wanted );
		keep( 'localStorage', 'name', wanted );
		say( { op: 'name', name: wanted } );
		nameField.blur();
	} );
	find( 'show-people' ).addEventListener( 'click', () => {
		const shown = find( 'people' ).classList.toggle( 'shown' );
		find( 'show-people' ).setAttribute( 'aria-expanded', String( shown ) );
	} );
	find( 'newest' ).addEventListener( 'click', toEnd );
	lines.addEventListener( 'scroll', () => {
		if ( atEnd() ) {
			find( 'newest' ).hidden = true;
		}
	} );
	find( 'again' ).addEventListener( 'click', () => {
		tries = 0;
		connect();
	} );
	window.addEventListener( 'online', connect );
	window.addEventListener( 'resize', () => {
		if ( document.activeElement === text ) {
			toEnd();
		}
	} );
	connect();
}() );
